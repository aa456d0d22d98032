"use strict";
const { I, V, follow, mulHigh, ctz, popcount, mulHighUnsigned_result, divideUnsigned } = F;
return (function () {
let k = 0, w = 0, g = 0, G = 0, n = 0, N = 0, a = 0, b = 0, e = 0, x = 0, y = 0, u = 0, U = 0, z = 0, r0 = 0, R0 = 0, r1 = 0, R1 = 0, r2 = 0, R2 = 0, r3 = 0, R3 = 0, r6 = 0, R6 = 0, c0 = 0, C0 = 0, c1 = 0, C1 = 0, c2 = 0, C2 = 0, c3 = 0, C3 = 0, t0 = 0, T0 = 0, t1 = 0, T1 = 0;
I[regionStale] = 0; k = I[budget];
w = I[tlb];
g = I[rip]; G = I[rip+4];
r0 = I[rax]; R0 = I[rax+4];
r1 = I[rcx]; R1 = I[rcx+4];
r2 = I[rdx]; R2 = I[rdx+4];
r3 = I[rbx]; R3 = I[rbx+4];
r6 = I[rsi]; R6 = I[rsi+4];
c0 = I[ccOp]; C0 = I[ccOp+4];
c1 = I[ccDst]; C1 = I[ccDst+4];
c2 = I[ccSrc]; C2 = I[ccSrc+4];
c3 = I[ccSrc2]; C3 = I[ccSrc2+4];
X: { F: {
L0: for (;;) {
if (k <= I[exitRequest]) {
I[rip] = g; I[rip+4] = G;
z = 0; break X;
}
I[rip] = g; I[rip+4] = G;
x = Math.imul(r3, r0); C1 = mulHigh(r3, r0) + Math.imul(r3, R0) + Math.imul(R3, r0) | 0; c1 = x;
c3 = r0; C3 = R0;
r0 = c1; R0 = C1;
x = Math.imul(r0, r1); T0 = mulHigh(r0, r1) + Math.imul(r0, R1) + Math.imul(R0, r1) | 0; t0 = x;
t1 = mulHighUnsigned_result(r0, R0, r1, R1, 0); T1 = I[scratch+1008];
c2 = t1; C2 = T1;
c1 = t0; C1 = T0;
r0 = c1; R0 = C1;
r2 = c2; R2 = C2;
r6 = 10; R6 = 0;
I[rax] = r0; I[rax+4] = R0;
I[rdx] = r2; I[rdx+4] = R2;
I[rsi] = r6; I[rsi+4] = R6;
I[ccOp] = c0; I[ccOp+4] = C0;
I[ccDst] = c1; I[ccDst+4] = C1;
I[ccSrc] = c2; I[ccSrc+4] = C2;
I[ccSrc2] = c3; I[ccSrc2+4] = C3;
I[opPointer] = 0;
divideUnsigned(10, 0, 0, 0, 8);
r0 = I[rax]; R0 = I[rax+4];
r2 = I[rdx]; R2 = I[rdx+4];
c1 = r2; C1 = R2;
c0 = 23; C0 = 0;
if (r2 !== 0 || R2 !== 0) {
k = k - 6 | 0;
continue L0;
}
k = k - 6 | 0;
u = g + 20 | 0;
U = G + 0 + (u >>> 0 < 20 >>> 0 ? 1 : 0) | 0;
I[rip] = u; I[rip+4] = U;
z = follow(C + 0); break X;
}
}
z = 3;
}
I[rax] = r0; I[rax+4] = R0;
I[rdx] = r2; I[rdx+4] = R2;
I[rsi] = r6; I[rsi+4] = R6;
I[ccOp] = c0; I[ccOp+4] = C0;
I[ccDst] = c1; I[ccDst+4] = C1;
I[ccSrc] = c2; I[ccSrc+4] = C2;
I[ccSrc2] = c3; I[ccSrc2+4] = C3;
I[budget] = k;
return z;
});
