(module
  (type $t0 (func (param i32 i64 i32) (result i64)))
  (type $t1 (func (param i32 i64 i32 i64)))
  (type $t2 (func (param i32 i64 i32)))
  (type $t3 (func (param i32) (result i32)))
  (type $t4 (func (param i32 i64 i64 i32) (result i64)))
  (import "host" "memory" (memory $host.memory 242 242 shared))
  (import "host" "regions" (table $host.regions 1 funcref))
  (import "helpers" "compiledLoad" (func $helpers.compiledLoad (type $t0)))
  (import "helpers" "compiledStore" (func $helpers.compiledStore (type $t1)))
  (import "helpers" "compiledLoad128" (func $helpers.compiledLoad128 (type $t2)))
  (import "helpers" "compiledStore128" (func $helpers.compiledStore128 (type $t2)))
  (import "cells" "c0" (global $cells.c0 i32))
  (import "helpers" "fpScalar64" (func $helpers.fpScalar64 (type $t4)))
  (import "helpers" "comisd" (func $helpers.comisd (type $t4)))
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
    (local $l13 v128)
    (local $l14 v128)
    (local $l15 v128)
    (local $l16 v128)
    (local $l17 f64)
    (local $l18 f64)
    (local $l19 f64)
    (local $l20 i32)
    (local $l21 i32)
    (i32.store offset=regionStale (local.get $p0) (i32.const 0))
    (local.set $l1 (i32.load offset=budget (local.get $p0)))
    (local.set $l2 (i32.load offset=tlb (local.get $p0)))
    (local.set $l7 (i64.load offset=rip (local.get $p0)))
    (local.set $l9 (i64.load offset=rsi (local.get $p0)))
    (local.set $l10 (i64.load offset=ccOp (local.get $p0)))
    (local.set $l11 (i64.load offset=ccDst (local.get $p0)))
    (local.set $l12 (i64.load offset=ccSrc (local.get $p0)))
    (local.set $l13 (v128.load offset=xmm0 (local.get $p0)))
    (local.set $l14 (v128.load offset=xmm1 (local.get $p0)))
    (local.set $l15 (v128.load offset=xmm2 (local.get $p0)))
    (local.set $l16 (v128.load offset=xmm3 (local.get $p0)))
    (block $B0
      (block $B1
        (loop $L2
          (if $I3
            (i32.le_s (local.get $l1) (i32.load offset=exitRequest (local.get $p0)))
            (then
              (i64.store offset=rip (local.get $p0) (local.get $l7))
              (local.set $l4 (i32.const 0))
              (br $B0)))
          (i64.store offset=rip (local.get $p0) (local.get $l7))
          (local.get $l13)
          (local.set $l6 (local.get $l9))
          (if $I4
            (result i64)
            (i64.eq
              (i64.load
                (local.tee $l3
                  (i32.add
                    (i32.and
                      (i32.wrap_i64 (i64.shr_u (local.get $l6) (i64.const 7)))
                      (i32.const 131040))
                    (local.get $l2))))
              (i64.and (i64.add (local.get $l6) (i64.const 7)) (i64.const -4096)))
            (then
              (i64.load
                (i32.add (i32.wrap_i64 (local.get $l6)) (i32.load offset=24 (local.get $l3)))))
            (else
              (call $helpers.compiledLoad (local.get $p0) (local.get $l6) (i32.const 8))
              (br_if $B1 (i32.ge_s (i32.load offset=excVector (local.get $p0)) (i32.const 0)))))
          (local.set $l13 (i64x2.replace_lane 0))
          (local.set $l13 (i64x2.replace_lane 1 (local.get $l13) (i64.const 0)))
          (block $B5
            (block $B6
              (br_if $B6
                (i32.ne
                  (i32.and (i32.load offset=mxcsr (local.get $p0)) (i32.const 65504))
                  (i32.const 8096)))
              (local.set $l17 (f64x2.extract_lane 0 (local.get $l13)))
              (local.set $l18 (f64x2.extract_lane 0 (local.get $l14)))
              (br_if $B6
                (i64.lt_u
                  (i64.sub
                    (i64.shl (i64x2.extract_lane 0 (local.get $l13)) (i64.const 1))
                    (i64.const 1))
                  (i64.const 9007199254740991)))
              (br_if $B6
                (i64.lt_u
                  (i64.sub
                    (i64.shl (i64x2.extract_lane 0 (local.get $l14)) (i64.const 1))
                    (i64.const 1))
                  (i64.const 9007199254740991)))
              (if $I7
                (i64.ge_u
                  (i64.sub
                    (i64.shl
                      (i64.reinterpret_f64
                        (local.tee $l19 (f64.mul (local.get $l17) (local.get $l18))))
                      (i64.const 1))
                    (i64.const 9007199254740994))
                  (i64.const -18014398509481986))
                (then
                  (br_if $B6
                    (i32.eqz
                      (i32.and
                        (f64.eq (local.get $l19) (f64.const 0x0p+0 (;=0;)))
                        (i32.or
                          (f64.eq (local.get $l17) (f64.const 0x0p+0 (;=0;)))
                          (f64.eq (local.get $l18) (f64.const 0x0p+0 (;=0;)))))))))
              (local.set $l13 (f64x2.replace_lane 0 (local.get $l13) (local.get $l19)))
              (br $B5))
            (i64.store offset=rsi (local.get $p0) (local.get $l9))
            (i64.store offset=ccOp (local.get $p0) (local.get $l10))
            (i64.store offset=ccDst (local.get $p0) (local.get $l11))
            (i64.store offset=ccSrc (local.get $p0) (local.get $l12))
            (v128.store offset=xmm0 (local.get $p0) (local.get $l13))
            (v128.store offset=xmm2 (local.get $p0) (local.get $l15))
            (i32.store offset=opPointer (local.get $p0) (i32.const 1))
            (drop
              (call $helpers.fpScalar64
                (local.get $p0)
                (i64.const 1)
                (i64.const 0)
                (i32.const 92276080)))
            (local.set $l13 (v128.load offset=xmm0 (local.get $p0))))
          (block $B8
            (block $B9
              (br_if $B9
                (i32.ne
                  (i32.and (i32.load offset=mxcsr (local.get $p0)) (i32.const 65504))
                  (i32.const 8096)))
              (local.set $l17 (f64x2.extract_lane 0 (local.get $l15)))
              (local.set $l18 (f64x2.extract_lane 0 (local.get $l13)))
              (br_if $B9
                (i64.lt_u
                  (i64.sub
                    (i64.shl (i64x2.extract_lane 0 (local.get $l15)) (i64.const 1))
                    (i64.const 1))
                  (i64.const 9007199254740991)))
              (br_if $B9
                (i64.lt_u
                  (i64.sub
                    (i64.shl (i64x2.extract_lane 0 (local.get $l13)) (i64.const 1))
                    (i64.const 1))
                  (i64.const 9007199254740991)))
              (br_if $B9
                (i64.ge_u
                  (i64.shl
                    (i64.reinterpret_f64
                      (local.tee $l19 (f64.add (local.get $l17) (local.get $l18))))
                    (i64.const 1))
                  (i64.const -9007199254740992)))
              (local.set $l15 (f64x2.replace_lane 0 (local.get $l15) (local.get $l19)))
              (br $B8))
            (i64.store offset=rsi (local.get $p0) (local.get $l9))
            (i64.store offset=ccOp (local.get $p0) (local.get $l10))
            (i64.store offset=ccDst (local.get $p0) (local.get $l11))
            (i64.store offset=ccSrc (local.get $p0) (local.get $l12))
            (v128.store offset=xmm0 (local.get $p0) (local.get $l13))
            (v128.store offset=xmm2 (local.get $p0) (local.get $l15))
            (i32.store offset=opPointer (local.get $p0) (i32.const 2))
            (drop
              (call $helpers.fpScalar64
                (local.get $p0)
                (i64.const 0)
                (i64.const 0)
                (i32.const 91227536)))
            (local.set $l15 (v128.load offset=xmm2 (local.get $p0))))
          (local.set $l11 (i64.add (local.get $l9) (i64.const 8)))
          (local.set $l12 (i64.const 8))
          (local.set $l9 (local.get $l11))
          (block $B10
            (block $B11
              (local.set $l17 (f64x2.extract_lane 0 (local.get $l15)))
              (local.set $l18 (f64x2.extract_lane 0 (local.get $l16)))
              (br_if $B11
                (i64.lt_u
                  (i64.sub
                    (i64.shl (i64x2.extract_lane 0 (local.get $l15)) (i64.const 1))
                    (i64.const 1))
                  (i64.const 9007199254740991)))
              (br_if $B11
                (i64.lt_u
                  (i64.sub
                    (i64.shl (i64x2.extract_lane 0 (local.get $l16)) (i64.const 1))
                    (i64.const 1))
                  (i64.const 9007199254740991)))
              (br_if $B11
                (i32.eqz
                  (i32.or
                    (i32.or
                      (local.tee $l20 (f64.lt (local.get $l17) (local.get $l18)))
                      (local.tee $l21 (f64.eq (local.get $l17) (local.get $l18))))
                    (f64.gt (local.get $l17) (local.get $l18)))))
              (local.set $l12
                (i64.extend_i32_u
                  (i32.or (i32.shl (local.get $l21) (i32.const 6)) (local.get $l20))))
              (local.set $l10 (i64.const 0))
              (br $B10))
            (i64.store offset=rsi (local.get $p0) (local.get $l9))
            (i64.store offset=ccOp (local.get $p0) (local.get $l10))
            (i64.store offset=ccDst (local.get $p0) (local.get $l11))
            (i64.store offset=ccSrc (local.get $p0) (local.get $l12))
            (v128.store offset=xmm0 (local.get $p0) (local.get $l13))
            (v128.store offset=xmm2 (local.get $p0) (local.get $l15))
            (i32.store offset=opPointer (local.get $p0) (i32.const 3))
            (drop
              (call $helpers.comisd
                (local.get $p0)
                (i64.const 1)
                (i64.const 0)
                (i32.const 94373264)))
            (local.set $l10 (i64.load offset=ccOp (local.get $p0)))
            (local.set $l12 (i64.load offset=ccSrc (local.get $p0)))
            (local.set $l15 (v128.load offset=xmm2 (local.get $p0))))
          (if $I12
            (i32.eqz (i32.eqz (i32.and (i32.wrap_i64 (local.get $l12)) (i32.const 1))))
            (then (local.set $l1 (i32.sub (local.get $l1) (i32.const 6))) (br $L2)))
          (local.set $l1 (i32.sub (local.get $l1) (i32.const 6)))
          (i64.store offset=rip (local.get $p0) (i64.add (local.get $l7) (i64.const 22)))
          (local.set $l4 (i32.add (global.get $cells.c0) (i32.const 0)))
          (br $B0)))
      (local.set $l4 (i32.const 3)))
    (i64.store offset=rsi (local.get $p0) (local.get $l9))
    (i64.store offset=ccOp (local.get $p0) (local.get $l10))
    (i64.store offset=ccDst (local.get $p0) (local.get $l11))
    (i64.store offset=ccSrc (local.get $p0) (local.get $l12))
    (v128.store offset=xmm0 (local.get $p0) (local.get $l13))
    (v128.store offset=xmm2 (local.get $p0) (local.get $l15))
    (i32.store offset=budget (local.get $p0) (local.get $l1))
    (if $I13 (i32.le_u (local.get $l4) (i32.const 4)) (then (return (local.get $l4))))
    (if $I14
      (i32.eq (local.get $l4) (i32.const 15))
      (then
        (local.set $l6 (i64.load offset=rip (local.get $p0)))
        (local.set $l2 (i32.load offset=tlb (local.get $p0)))
        (if $I15
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
            (if $I16
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
        (if $I17
          (i32.eqz (local.tee $l5 (i32.load offset=8 (local.get $l4))))
          (then (i32.store offset=opPointer (local.get $p0) (local.get $l4)) (return (i32.const 1))))))
    (if $I18
      (i32.and
        (i32.eq (i32.load16_u (local.get $l5)) (i32.const 0))
        (i32.gt_s (local.get $l1) (i32.load offset=exitRequest (local.get $p0))))
      (then
        (i32.store offset=region (local.get $p0) (i32.load offset=12 (local.get $l5)))
        (i64.store offset=regionRip (local.get $p0) (i64.load offset=rip (local.get $p0)))
        (return_call_indirect (type $t3) (local.get $p0) (i32.load offset=8 (local.get $l5)))))
    (if $I19 (i32.eq (local.get $l4) (i32.const 15)) (then (return (i32.const 2097152))))
    (i32.store offset=12
      (local.get $l4)
      (local.tee $l3 (i32.sub (i32.load offset=12 (local.get $l4)) (i32.const 1))))
    (select (i32.const 4) (local.get $l5) (i32.eqz (local.get $l3))))
  (export "r0" (func $r0)))
