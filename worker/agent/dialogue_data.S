// The shipped dialogue as read-only data of the program: nothing to find at run time.
    .section .rodata
    .global agentlocator_dialogue
    .global agentlocator_dialogue_end
agentlocator_dialogue:
    .incbin "real-estate.json"
agentlocator_dialogue_end:
    .section .note.GNU-stack,"",%progbits
