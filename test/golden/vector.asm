; Integers in XMM registers, and a helper that works on them.
; taken entry entry 1000
entry:
  movdqu xmm0, [rsi]
  paddd xmm0, xmm1
  pxor xmm2, xmm0
  pshufd xmm3, xmm2, 0x1b
  movdqu [rdi], xmm3
  movq rax, xmm2
  add rsi, 16
  cmp rsi, rdx
  jne entry
  ret
