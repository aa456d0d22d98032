(module
  (type $t0 (func (param i32 i64 i32) (result i64)))
  (type $t1 (func (param i32 i64 i32 i64)))
  (type $t2 (func (param i32 i64 i32)))
  (type $t3 (func (param i32) (result i32)))
  (import "host" "memory" (memory $host.memory 242 242 shared))
  (import "host" "regions" (table $host.regions 1 funcref))
  (import "helpers" "compiledLoad" (func $helpers.compiledLoad (type $t0)))
  (import "helpers" "compiledStore" (func $helpers.compiledStore (type $t1)))
  (import "helpers" "compiledLoad128" (func $helpers.compiledLoad128 (type $t2)))
  (import "helpers" "compiledStore128" (func $helpers.compiledStore128 (type $t2)))
  (import "cells" "c0" (global $cells.c0 i32))
  (func $r0
    (type $t3)
    (param $p0 i32)
    (result i32)
    (local $l1 i32)
    (local $l2 i32)
    (local $l3 i32)
    (local $l4 i32)
    (local $l5 i32)
    (local $l6 i64)
    (local $l7 i64)
    (local $l8 i64)
    (local $l9 i64)
    (local $l10 i64)
    (local $l11 i64)
    (local $l12 i64)
    (local $l13 i64)
    (local $l14 i64)
    (local $l15 i64)
    (local $l16 i64)
    (local $l17 i64)
    (local $l18 i64)
    (local $l19 i64)
    (i32.store offset=regionStale (local.get $p0) (i32.const 0))
    (local.set $l1 (i32.load offset=budget (local.get $p0)))
    (local.set $l2 (i32.load offset=tlb (local.get $p0)))
    (local.set $l7 (i64.load offset=rip (local.get $p0)))
    (local.set $l9 (i64.load offset=rax (local.get $p0)))
    (local.set $l10 (i64.load offset=rcx (local.get $p0)))
    (local.set $l11 (i64.load offset=rbx (local.get $p0)))
    (local.set $l12 (i64.load offset=rsp (local.get $p0)))
    (local.set $l13 (i64.load offset=ccOp (local.get $p0)))
    (local.set $l14 (i64.load offset=ccDst (local.get $p0)))
    (local.set $l15 (i64.load offset=ccSrc (local.get $p0)))
    (block $B0
      (block $B1
        (loop $L2
          (if $I3
            (i32.le_s (local.get $l1) (i32.load offset=exitRequest (local.get $p0)))
            (then
              (i64.store offset=rip
                (local.get $p0)
                (i64.extend_i32_u (i32.wrap_i64 (local.get $l7))))
              (local.set $l4 (i32.const 0))
              (br $B0)))
          (local.set $l16
            (i64.extend_i32_u (i32.add (i32.wrap_i64 (local.get $l12)) (i32.const -4))))
          (local.set $l6 (local.get $l16))
          (if $I4
            (i64.eq
              (i64.load offset=8
                (local.tee $l3
                  (i32.add
                    (i32.and
                      (i32.wrap_i64 (i64.shr_u (local.get $l6) (i64.const 7)))
                      (i32.const 131040))
                    (local.get $l2))))
              (i64.and (i64.add (local.get $l6) (i64.const 3)) (i64.const -4096)))
            (then
              (i64.store32
                (i32.add (i32.wrap_i64 (local.get $l6)) (i32.load offset=24 (local.get $l3)))
                (local.get $l9)))
            (else
              (call $helpers.compiledStore
                (local.get $p0)
                (local.get $l6)
                (i32.const 4)
                (local.get $l9))
              (br_if $B1 (i32.ge_s (i32.load offset=excVector (local.get $p0)) (i32.const 0)))))
          (local.set $l12 (local.get $l16))
          (local.set $l16
            (i64.extend_i32_u
              (i32.add
                (i32.add
                  (i32.wrap_i64 (local.get $l12))
                  (i32.shl (i32.wrap_i64 (local.get $l10)) (i32.const 2)))
                (i32.const 8))))
          (local.set $l6 (local.get $l16))
          (local.set $l9
            (if $I5
              (result i64)
              (i64.eq
                (i64.load
                  (local.tee $l3
                    (i32.add
                      (i32.and
                        (i32.wrap_i64 (i64.shr_u (local.get $l6) (i64.const 7)))
                        (i32.const 131040))
                      (local.get $l2))))
                (i64.and (i64.add (local.get $l6) (i64.const 3)) (i64.const -4096)))
              (then
                (i64.load32_u
                  (i32.add (i32.wrap_i64 (local.get $l6)) (i32.load offset=24 (local.get $l3)))))
              (else
                (call $helpers.compiledLoad (local.get $p0) (local.get $l6) (i32.const 36))
                (br_if $B1 (i32.ge_s (i32.load offset=excVector (local.get $p0)) (i32.const 0))))))
          (local.set $l16 (i64.extend_i32_u (i32.wrap_i64 (local.get $l11))))
          (local.set $l6 (local.get $l16))
          (local.set $l17
            (if $I6
              (result i64)
              (i64.eq
                (i64.load
                  (local.tee $l3
                    (i32.add
                      (i32.and
                        (i32.wrap_i64 (i64.shr_u (local.get $l6) (i64.const 7)))
                        (i32.const 131040))
                      (local.get $l2))))
                (i64.and (i64.add (local.get $l6) (i64.const 3)) (i64.const -4096)))
              (then
                (i64.load32_u
                  (i32.add (i32.wrap_i64 (local.get $l6)) (i32.load offset=24 (local.get $l3)))))
              (else
                (call $helpers.compiledLoad (local.get $p0) (local.get $l6) (i32.const 68))
                (br_if $B1 (i32.ge_s (i32.load offset=excVector (local.get $p0)) (i32.const 0))))))
          (local.set $l18
            (i64.extend_i32_u
              (i32.add (i32.wrap_i64 (local.get $l17)) (i32.wrap_i64 (local.get $l9)))))
          (local.set $l6 (local.get $l16))
          (if $I7
            (i64.eq
              (i64.load offset=8
                (local.tee $l3
                  (i32.add
                    (i32.and
                      (i32.wrap_i64 (i64.shr_u (local.get $l6) (i64.const 7)))
                      (i32.const 131040))
                    (local.get $l2))))
              (i64.and (i64.add (local.get $l6) (i64.const 3)) (i64.const -4096)))
            (then
              (i64.store32
                (i32.add (i32.wrap_i64 (local.get $l6)) (i32.load offset=24 (local.get $l3)))
                (local.get $l18)))
            (else
              (call $helpers.compiledStore
                (local.get $p0)
                (local.get $l6)
                (i32.const 68)
                (local.get $l18))
              (br_if $B1 (i32.ge_s (i32.load offset=excVector (local.get $p0)) (i32.const 0)))))
          (local.set $l15 (local.get $l9))
          (local.set $l14 (local.get $l18))
          (local.set $l6 (local.get $l12))
          (local.set $l9
            (if $I8
              (result i64)
              (i64.eq
                (i64.load
                  (local.tee $l3
                    (i32.add
                      (i32.and
                        (i32.wrap_i64 (i64.shr_u (local.get $l6) (i64.const 7)))
                        (i32.const 131040))
                      (local.get $l2))))
                (i64.and (i64.add (local.get $l6) (i64.const 3)) (i64.const -4096)))
              (then
                (i64.load32_u
                  (i32.add (i32.wrap_i64 (local.get $l6)) (i32.load offset=24 (local.get $l3)))))
              (else
                (call $helpers.compiledLoad (local.get $p0) (local.get $l6) (i32.const 100))
                (br_if $B1 (i32.ge_s (i32.load offset=excVector (local.get $p0)) (i32.const 0))))))
          (local.set $l12
            (i64.extend_i32_u (i32.add (i32.wrap_i64 (local.get $l12)) (i32.const 4))))
          (local.set $l16 (i64.extend_i32_u (i32.wrap_i64 (local.get $l10))))
          (local.set $l10
            (i64.extend_i32_u (i32.sub (i32.wrap_i64 (local.get $l16)) (i32.const 1))))
          (local.set $l19 (i64.extend_i32_u (i64.ne (local.get $l10) (i64.const 0))))
          (local.set $l13 (i64.const 6))
          (if $I9
            (i32.ne (i32.wrap_i64 (local.get $l19)) (i32.const 0))
            (then (local.set $l1 (i32.sub (local.get $l1) (i32.const 5))) (br $L2)))
          (local.set $l1 (i32.sub (local.get $l1) (i32.const 5)))
          (i64.store offset=rip
            (local.get $p0)
            (i64.extend_i32_u (i32.wrap_i64 (i64.add (local.get $l7) (i64.const 10)))))
          (local.set $l4 (i32.add (global.get $cells.c0) (i32.const 0)))
          (br $B0)))
      (local.set $l4 (i32.const 3)))
    (i64.store offset=rax (local.get $p0) (local.get $l9))
    (i64.store offset=rcx (local.get $p0) (local.get $l10))
    (i64.store offset=rsp (local.get $p0) (local.get $l12))
    (i64.store offset=ccOp (local.get $p0) (local.get $l13))
    (i64.store offset=ccDst (local.get $p0) (local.get $l14))
    (i64.store offset=ccSrc (local.get $p0) (local.get $l15))
    (i32.store offset=budget (local.get $p0) (local.get $l1))
    (if $I10 (i32.le_u (local.get $l4) (i32.const 4)) (then (return (local.get $l4))))
    (if $I11
      (i32.eq (local.get $l4) (i32.const 15))
      (then
        (local.set $l6
          (i64.add
            (i64.load offset=rip (local.get $p0))
            (i64.load offset=segBase+8 (local.get $p0))))
        (local.set $l2 (i32.load offset=tlb (local.get $p0)))
        (if $I12
          (i64.eq
            (i64.load offset=16
              (local.tee $l3
                (i32.add
                  (i32.and
                    (i32.wrap_i64 (i64.shr_u (local.get $l6) (i64.const 7)))
                    (i32.const 131040))
                  (local.get $l2))))
            (i64.and (local.get $l6) (i64.const -4096)))
          (then
            (if $I13
              (i32.and
                (i32.eq
                  (i32.load offset=2101248
                    (local.tee $l3
                      (i32.shl
                        (i32.and
                          (i32.xor
                            (local.tee $l5
                              (i32.add
                                (i32.wrap_i64 (local.get $l6))
                                (i32.load offset=24 (local.get $l3))))
                            (i32.shr_u (local.get $l5) (i32.const 16)))
                          (i32.const 262143))
                        (i32.const 4))))
                  (local.get $l5))
                (i32.eq
                  (i32.load offset=2101252 (local.get $l3))
                  (i32.load offset=hflags (local.get $p0))))
              (then (local.set $l5 (i32.load offset=2101256 (local.get $l3))))
              (else (return (i32.const 2097152)))))
          (else (return (i32.const 2097152)))))
      (else
        (if $I14
          (i32.eqz (local.tee $l5 (i32.load offset=8 (local.get $l4))))
          (then (i32.store offset=opPointer (local.get $p0) (local.get $l4)) (return (i32.const 1))))))
    (if $I15
      (i32.and
        (i32.eq (i32.load16_u (local.get $l5)) (i32.const 0))
        (i32.gt_s (local.get $l1) (i32.load offset=exitRequest (local.get $p0))))
      (then
        (i32.store offset=region (local.get $p0) (i32.load offset=12 (local.get $l5)))
        (i64.store offset=regionRip (local.get $p0) (i64.load offset=rip (local.get $p0)))
        (return_call_indirect (type $t3) (local.get $p0) (i32.load offset=8 (local.get $l5)))))
    (if $I16 (i32.eq (local.get $l4) (i32.const 15)) (then (return (i32.const 2097152))))
    (i32.store offset=12
      (local.get $l4)
      (local.tee $l3 (i32.sub (i32.load offset=12 (local.get $l4)) (i32.const 1))))
    (select (i32.const 4) (local.get $l5) (i32.eqz (local.get $l3))))
  (export "r0" (func $r0)))
