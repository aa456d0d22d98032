; A loop of one block that adds up.
; taken loop loop 1000
loop:
  add rax, rcx
  sub rcx, 1
  jne loop
  ret
