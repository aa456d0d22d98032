; Arithmetic and comparison of doubles.
; taken entry entry 1000
entry:
  movsd xmm0, [rsi]
  mulsd xmm0, xmm1
  addsd xmm2, xmm0
  add rsi, 8
  ucomisd xmm2, xmm3
  jb entry
  ret
