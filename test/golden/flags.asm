; Conditions of a comparison in branches, moves and bytes; a diamond.
; taken entry less 500
; taken entry more 500
; taken less join 500
; taken more join 500
; taken join entry 1000
entry:
  cmp eax, ebx
  setb cl
  cmovg edx, esi
  jge more
less:
  lea eax, [rax + rbx * 4 + 1]
  jmp join
more:
  neg eax
  jmp join
join:
  test eax, 1
  jne entry
  ret
