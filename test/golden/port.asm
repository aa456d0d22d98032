; Instructions that leave for the main loop.
; taken entry after 1000
; taken after entry 1000
entry:
  in al, dx
after:
  test al, 1
  je entry
  hlt
