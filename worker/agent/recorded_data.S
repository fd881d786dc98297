// Recorded speech as read-only data of the program (scripts/make_prompts.sh).
    .section .rodata
    .global agentlocator_greeting_he
    .global agentlocator_greeting_he_end
    .global agentlocator_greeting_en
    .global agentlocator_greeting_en_end
    .global agentlocator_sorry_he
    .global agentlocator_sorry_he_end
    .global agentlocator_sorry_en
    .global agentlocator_sorry_en_end
    .global agentlocator_noted_he
    .global agentlocator_noted_he_end
    .global agentlocator_noted_en
    .global agentlocator_noted_en_end
agentlocator_greeting_he:
    .incbin "greeting_he.ulaw"
agentlocator_greeting_he_end:
agentlocator_greeting_en:
    .incbin "greeting_en.ulaw"
agentlocator_greeting_en_end:
agentlocator_sorry_he:
    .incbin "sorry_he.ulaw"
agentlocator_sorry_he_end:
agentlocator_sorry_en:
    .incbin "sorry_en.ulaw"
agentlocator_sorry_en_end:
agentlocator_noted_he:
    .incbin "noted_he.ulaw"
agentlocator_noted_he_end:
agentlocator_noted_en:
    .incbin "noted_en.ulaw"
agentlocator_noted_en_end:
    .section .note.GNU-stack,"",%progbits
