"use strict";
const { I, V, follow, mulHigh, ctz, popcount } = F;
return (function () {
let k = 0, w = 0, g = 0, G = 0, n = 0, N = 0, a = 0, b = 0, e = 0, x = 0, y = 0, u = 0, U = 0, z = 0, r0 = 0, R0 = 0, r1 = 0, R1 = 0, c0 = 0, C0 = 0, c1 = 0, C1 = 0, c2 = 0, C2 = 0, t255 = 0, T255 = 0;
I[regionStale] = 0; k = I[budget];
w = I[tlb];
g = I[rip]; G = I[rip+4];
r0 = I[rax]; R0 = I[rax+4];
r1 = I[rcx]; R1 = I[rcx+4];
c0 = I[ccOp]; C0 = I[ccOp+4];
c1 = I[ccDst]; C1 = I[ccDst+4];
c2 = I[ccSrc]; C2 = I[ccSrc+4];
X: { F: {
L0: for (;;) {
if (k <= I[exitRequest]) {
I[rip] = g; I[rip+4] = G;
z = 0; break X;
}
x = r0 + r1 | 0; R0 = R0 + R1 + (x >>> 0 < r0 >>> 0 ? 1 : 0) | 0; r0 = x;
t255 = r1; T255 = R1;
x = r1 - 1 | 0; C1 = R1 - 0 - (r1 >>> 0 < 1 >>> 0 ? 1 : 0) | 0; c1 = x;
c2 = 1; C2 = 0;
r1 = c1; R1 = C1;
c0 = 15; C0 = 0;
if (t255 !== 1 || T255 !== 0) {
k = k - 3 | 0;
continue L0;
}
k = k - 3 | 0;
u = g + 9 | 0;
U = G + 0 + (u >>> 0 < 9 >>> 0 ? 1 : 0) | 0;
I[rip] = u; I[rip+4] = U;
z = follow(C + 0); break X;
}
}
z = 3;
}
I[rax] = r0; I[rax+4] = R0;
I[rcx] = r1; I[rcx+4] = R1;
I[ccOp] = c0; I[ccOp+4] = C0;
I[ccDst] = c1; I[ccDst+4] = C1;
I[ccSrc] = c2; I[ccSrc+4] = C2;
I[budget] = k;
return z;
});
