"use strict";
const { I, V, follow, mulHigh, ctz, popcount } = F;
return (function () {
let k = 0, w = 0, g = 0, G = 0, n = 0, N = 0, a = 0, b = 0, e = 0, x = 0, y = 0, u = 0, U = 0, z = 0, r0 = 0, R0 = 0, r1 = 0, R1 = 0, r2 = 0, R2 = 0, r3 = 0, R3 = 0, r6 = 0, R6 = 0, r7 = 0, R7 = 0, r8 = 0, R8 = 0, r9 = 0, R9 = 0, c0 = 0, C0 = 0, c1 = 0, C1 = 0, c2 = 0, C2 = 0, c3 = 0, C3 = 0, c4 = 0, C4 = 0, t0 = 0, T0 = 0, t2 = 0, T2 = 0, t3 = 0, T3 = 0, t1 = 0, T1 = 0;
I[regionStale] = 0; k = I[budget];
w = I[tlb];
g = I[rip]; G = I[rip+4];
r0 = I[rax]; R0 = I[rax+4];
r1 = I[rcx]; R1 = I[rcx+4];
r2 = I[rdx]; R2 = I[rdx+4];
r3 = I[rbx]; R3 = I[rbx+4];
r6 = I[rsi]; R6 = I[rsi+4];
r7 = I[rdi]; R7 = I[rdi+4];
r8 = I[r8]; R8 = I[r8+4];
r9 = I[r9]; R9 = I[r9+4];
c0 = I[ccOp]; C0 = I[ccOp+4];
c1 = I[ccDst]; C1 = I[ccDst+4];
c2 = I[ccSrc]; C2 = I[ccSrc+4];
c3 = I[ccSrc2]; C3 = I[ccSrc2+4];
c4 = I[ccCarry]; C4 = I[ccCarry+4];
X: { F: {
L0: for (;;) {
if (k <= I[exitRequest]) {
I[rip] = g; I[rip+4] = G;
z = 0; break X;
}
x = 5 & 32 ? 0 : r0 << 5; R0 = 5 & 32 ? r0 << 5 : R0 << 5 | r0 >>> 1 >>> ~5; r0 = x;
t0 = r1 & 31; T0 = 0;
r2 = r2 >> t0; R2 = 0;
r3 = r3 << 7 | r3 >>> 1 >>> ~7; R3 = 0;
x = 12 & 32 ? R6 >>> 12 | 0 : r6 >>> 12 | R6 << 1 << ~12; T2 = 12 & 32 ? 0 : R6 >>> 12 | 0; t2 = x;
x = 52 & 32 ? 0 : r7 << 52; T3 = 52 & 32 ? r7 << 52 : R7 << 52 | r7 >>> 1 >>> ~52; t3 = x;
x = t2 | t3; R6 = T2 | T3; r6 = x;
t0 = r3 & 63; T0 = 0;
t1 = t0 - 1 | 0; T1 = 0;
x = (t1 & 32 ? R0 : r0) >>> t1 | (t1 & 32 ? r0 : R0) << 1 << ~t1; C4 = (t1 & 32 ? r0 : R0) >>> t1 | (t1 & 32 ? R0 : r0) << 1 << ~t1; c4 = x;
c3 = (c4 & 2) !== 0 ? 1 : 0; C3 = 0;
x = r8 + r9 | 0; T1 = R8 + R9 + (x >>> 0 < r8 >>> 0 ? 1 : 0) | 0; t1 = x;
x = t1 + c3 | 0; R8 = T1 + C3 + (x >>> 0 < t1 >>> 0 ? 1 : 0) | 0; r8 = x;
t0 = (R8 === R9 ? r8 >>> 0 <= r9 >>> 0 : R8 >>> 0 <= R9 >>> 0) ? 1 : 0; T0 = 0;
t1 = (R8 === R9 ? r8 >>> 0 < r9 >>> 0 : R8 >>> 0 < R9 >>> 0) ? 1 : 0; T1 = 0;
if (c3 !== 0) {
c2 = t0; C2 = T0;
} else {
c2 = t1; C2 = T1;
}
c1 = r1 - 1 | 0; C1 = 0;
r1 = c1; R1 = C1;
c0 = 30; C0 = 0;
if (r1 !== 0) {
k = k - 8 | 0;
continue L0;
}
k = k - 8 | 0;
u = g + 25 | 0;
U = G + 0 + (u >>> 0 < 25 >>> 0 ? 1 : 0) | 0;
I[rip] = u; I[rip+4] = U;
z = follow(C + 0); break X;
}
}
z = 3;
}
I[rax] = r0; I[rax+4] = R0;
I[rcx] = r1; I[rcx+4] = R1;
I[rdx] = r2; I[rdx+4] = R2;
I[rbx] = r3; I[rbx+4] = R3;
I[rsi] = r6; I[rsi+4] = R6;
I[r8] = r8; I[r8+4] = R8;
I[ccOp] = c0; I[ccOp+4] = C0;
I[ccDst] = c1; I[ccDst+4] = C1;
I[ccSrc] = c2; I[ccSrc+4] = C2;
I[ccSrc2] = c3; I[ccSrc2+4] = C3;
I[ccCarry] = c4; I[ccCarry+4] = C4;
I[budget] = k;
return z;
});
