"use strict";
const { I, V, follow, mulHigh, ctz, popcount } = F;
return (function () {
let k = 0, w = 0, g = 0, G = 0, n = 0, N = 0, a = 0, b = 0, e = 0, x = 0, y = 0, u = 0, U = 0, z = 0, r0 = 0, R0 = 0, r1 = 0, R1 = 0, r2 = 0, R2 = 0, r3 = 0, R3 = 0, r6 = 0, R6 = 0, c0 = 0, C0 = 0, c1 = 0, C1 = 0, c2 = 0, C2 = 0, t0 = 0, T0 = 0;
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
X: { F: {
L0: for (;;) {
B5: {
if (k <= I[exitRequest]) {
I[rip] = g; I[rip+4] = G;
z = 0; break X;
}
c1 = r0 - r3 | 0; C1 = 0;
c2 = r3; C2 = R3;
t0 = r0 >>> 0 < r3 >>> 0 ? 1 : 0; T0 = 0;
x = r1 & -256 | (t0 & 255) << 0; R1 = R1; r1 = x;
if (r0 > r3) {
t0 = r6; T0 = R6;
} else {
t0 = r2; T0 = R2;
}
r2 = t0; R2 = 0;
c0 = 14; C0 = 0;
if (r0 >= r3) {
k = k - 4 | 0;
c1 = 0 - r0 | 0; C1 = 0;
c2 = r0; C2 = R0;
r0 = c1; R0 = C1;
c0 = 14; C0 = 0;
k = k - 2 | 0;
break B5;
}
k = k - 4 | 0;
r0 = r0 + (r3 << 2) + 1 | 0; R0 = 0;
k = k - 2 | 0;
break B5;
}
c1 = r0 & 1; C1 = 0;
c0 = 22; C0 = 0;
if (c1 !== 0) {
k = k - 2 | 0;
continue L0;
}
k = k - 2 | 0;
u = g + 27 | 0;
U = G + 0 + (u >>> 0 < 27 >>> 0 ? 1 : 0) | 0;
I[rip] = u; I[rip+4] = U;
z = follow(C + 0); break X;
}
}
z = 3;
}
I[rax] = r0; I[rax+4] = R0;
I[rcx] = r1; I[rcx+4] = R1;
I[rdx] = r2; I[rdx+4] = R2;
I[ccOp] = c0; I[ccOp+4] = C0;
I[ccDst] = c1; I[ccDst+4] = C1;
I[ccSrc] = c2; I[ccSrc+4] = C2;
I[budget] = k;
return z;
});
