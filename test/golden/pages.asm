; A loop in two pages: the mapping of the other one is looked at on the way.
; taken entry second 1000
; taken second entry 1000
entry:
  inc eax
  jmp second
  resb 4096
second:
  cmp eax, ebx
  jne entry
  ret
