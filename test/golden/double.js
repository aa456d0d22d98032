"use strict";
const { I, V, follow, mulHigh, ctz, popcount, compiledLoad, fpScalar64, comisd } = F;
return (function () {
let k = 0, w = 0, g = 0, G = 0, n = 0, N = 0, a = 0, b = 0, e = 0, x = 0, y = 0, u = 0, U = 0, z = 0, r6 = 0, R6 = 0, c0 = 0, C0 = 0, c1 = 0, C1 = 0, c2 = 0, C2 = 0;
I[regionStale] = 0; k = I[budget];
w = I[tlb];
g = I[rip]; G = I[rip+4];
r6 = I[rsi]; R6 = I[rsi+4];
c0 = I[ccOp]; C0 = I[ccOp+4];
c1 = I[ccDst]; C1 = I[ccDst+4];
c2 = I[ccSrc]; C2 = I[ccSrc+4];
X: { F: {
L0: for (;;) {
if (k <= I[exitRequest]) {
I[rip] = g; I[rip+4] = G;
z = 0; break X;
}
I[rip] = g; I[rip+4] = G;
e = w + (r6 >>> 7 & 131040) >>> 2;
if (I[e + 0] === (r6 + 7 & -4096) && I[e + 1] === R6) {
a = r6 + I[e + 6] >>> 0;
x = V.getInt32(a, true);
y = V.getInt32(a + 4, true);
} else {
x = compiledLoad(r6, R6, 8);
if (I[excVector] >= 0) break F;
y = I[scratch+1008];
}
I[xmm0] = x; I[xmm0+4] = y;
I[xmm0.high] = 0; I[xmm0.high+4] = 0;
I[opPointer] = 1;
fpScalar64(1, 0, 0, 0, 92276080);
I[opPointer] = 2;
fpScalar64(0, 0, 0, 0, 91227536);
x = r6 + 8 | 0; C1 = R6 + 0 + (x >>> 0 < r6 >>> 0 ? 1 : 0) | 0; c1 = x;
c2 = 8; C2 = 0;
r6 = c1; R6 = C1;
I[rsi] = r6; I[rsi+4] = R6;
I[ccDst] = c1; I[ccDst+4] = C1;
I[ccSrc] = c2; I[ccSrc+4] = C2;
I[opPointer] = 3;
comisd(1, 0, 0, 0, 94373264);
c0 = I[ccOp]; C0 = I[ccOp+4];
c2 = I[ccSrc]; C2 = I[ccSrc+4];
if ((c2 & 1) !== 0) {
k = k - 6 | 0;
continue L0;
}
k = k - 6 | 0;
u = g + 22 | 0;
U = G + 0 + (u >>> 0 < 22 >>> 0 ? 1 : 0) | 0;
I[rip] = u; I[rip+4] = U;
z = follow(C + 0); break X;
}
}
z = 3;
}
I[rsi] = r6; I[rsi+4] = R6;
I[ccOp] = c0; I[ccOp+4] = C0;
I[ccDst] = c1; I[ccDst+4] = C1;
I[ccSrc] = c2; I[ccSrc+4] = C2;
I[budget] = k;
return z;
});
