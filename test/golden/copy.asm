; Loads and stores of each size, addresses with an index.
; taken loop loop 1000
loop:
  mov al, [rsi + rcx]
  mov [rdi + rcx], al
  movsx edx, word [rsi + rcx * 2]
  mov [rdi + rcx * 2], dx
  mov r8, [rsi + rcx * 8 + 8]
  mov [rdi + rcx * 8], r8
  inc rcx
  cmp rcx, rbx
  jl loop
  ret
