; A helper that stores to memory, and so perhaps to this code.
; taken entry entry 1000
entry:
  mov ecx, 8
  rep movsb
  inc eax
  cmp eax, ebx
  jne entry
  ret
