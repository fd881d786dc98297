// Recorded speech as read-only data of the program (scripts/make_prompts.sh).
    .section .rodata
    .global agentlocator_sorry_he
    .global agentlocator_sorry_he_end
    .global agentlocator_sorry_en
    .global agentlocator_sorry_en_end
agentlocator_sorry_he:
    .incbin "sorry_he.ulaw"
agentlocator_sorry_he_end:
agentlocator_sorry_en:
    .incbin "sorry_en.ulaw"
agentlocator_sorry_en_end:
    .section .note.GNU-stack,"",%progbits
