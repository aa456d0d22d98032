"use strict";
const { I, V, follow, mulHigh, ctz, popcount, ioIn_result } = F;
return (function () {
let k = 0, w = 0, g = 0, G = 0, n = 0, N = 0, a = 0, b = 0, e = 0, x = 0, y = 0, u = 0, U = 0, z = 0, r0 = 0, R0 = 0, r2 = 0, R2 = 0, c0 = 0, C0 = 0, c1 = 0, C1 = 0, t0 = 0, T0 = 0;
I[regionStale] = 0; k = I[budget];
w = I[tlb];
g = I[rip]; G = I[rip+4];
r0 = I[rax]; R0 = I[rax+4];
r2 = I[rdx]; R2 = I[rdx+4];
c0 = I[ccOp]; C0 = I[ccOp+4];
c1 = I[ccDst]; C1 = I[ccDst+4];
X: { F: {
L0: for (;;) {
if (k <= I[exitRequest]) {
I[rip] = g; I[rip+4] = G;
z = 0; break X;
}
I[rip] = g; I[rip+4] = G;
I[rax] = r0; I[rax+4] = R0;
I[ccOp] = c0; I[ccOp+4] = C0;
I[ccDst] = c1; I[ccDst+4] = C1;
I[opPointer] = 0;
t0 = ioIn_result(r2, R2, 0, 0, 1); T0 = I[scratch+1008];
r0 = I[rax]; R0 = I[rax+4];
r2 = I[rdx]; R2 = I[rdx+4];
c0 = I[ccOp]; C0 = I[ccOp+4];
c1 = I[ccDst]; C1 = I[ccDst+4];
w = I[tlb];
x = r0 & -256 | (t0 & 255) << 0; R0 = R0; r0 = x;
k = k - 1 | 0;
if (I[regionStale] !== 0) {
u = g + 1 | 0;
U = G + 0 + (u >>> 0 < 1 >>> 0 ? 1 : 0) | 0;
I[rip] = u; I[rip+4] = U;
z = 0; break X;
}
c1 = r0 & 1; C1 = 0;
c0 = 20; C0 = 0;
if ((c1 & 255) === 0) {
k = k - 2 | 0;
continue L0;
}
k = k - 2 | 0;
u = g + 5 | 0;
U = G + 0 + (u >>> 0 < 5 >>> 0 ? 1 : 0) | 0;
I[rip] = u; I[rip+4] = U;
z = follow(C + 0); break X;
}
}
z = 3;
}
I[rax] = r0; I[rax+4] = R0;
I[ccOp] = c0; I[ccOp+4] = C0;
I[ccDst] = c1; I[ccDst+4] = C1;
I[budget] = k;
return z;
});
