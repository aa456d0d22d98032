; A function and its return; the stack.
; taken entry function 1000
; taken after entry 1000
entry:
  push rbx
  call function
after:
  pop rbx
  dec ecx
  jne entry
  ret
function:
  mov rax, [rsp + 8]
  inc rax
  ret
