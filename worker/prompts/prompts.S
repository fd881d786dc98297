// The prompts as read-only data of the program: nothing to find at run time (F-19: a missing file was silence).
    .section .rodata
    .balign 8
    .global agentlocator_prompt_greeting
    .global agentlocator_prompt_greeting_end
    .global agentlocator_prompt_heard_you
    .global agentlocator_prompt_heard_you_end
    .global agentlocator_prompt_got_digit
    .global agentlocator_prompt_got_digit_end
    .global agentlocator_prompt_apology
    .global agentlocator_prompt_apology_end
agentlocator_prompt_greeting:
    .incbin "greeting.wav"
agentlocator_prompt_greeting_end:
agentlocator_prompt_heard_you:
    .incbin "heard_you.wav"
agentlocator_prompt_heard_you_end:
agentlocator_prompt_got_digit:
    .incbin "got_digit.wav"
agentlocator_prompt_got_digit_end:
agentlocator_prompt_apology:
    .incbin "apology.wav"
agentlocator_prompt_apology_end:
    .section .note.GNU-stack,"",%progbits
