; Products of one and two registers, and a quotient.
; taken entry entry 1000
entry:
  imul rax, rbx
  mul rcx
  mov esi, 10
  div rsi
  test rdx, rdx
  jne entry
  ret
