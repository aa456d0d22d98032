; 32-bit code: addresses are cut to 32 bits.
; bits 32
; taken entry entry 1000
entry:
  push eax
  mov eax, [esp + ecx * 4 + 8]
  add [ebx], eax
  pop eax
  loop entry
  ret
