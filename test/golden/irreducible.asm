; A loop with two entries: one of them leaves the region.
; taken entry first 500
; taken entry second 500
; taken first second 900
; taken second first 900
entry:
  test eax, eax
  je second
first:
  inc ebx
  jmp second
second:
  dec ecx
  jne first
  ret
