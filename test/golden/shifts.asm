; Shifts and rotations by constants and by CL.
; taken entry entry 1000
entry:
  shl rax, 5
  sar edx, cl
  rol ebx, 7
  shrd rsi, rdi, 12
  bt rax, rbx
  adc r8, r9
  dec ecx
  jne entry
  ret
