"use strict";
const { I, V, follow, mulHigh, ctz, popcount, computeCarry_result } = F;
return (function () {
let k = 0, w = 0, g = 0, G = 0, n = 0, N = 0, a = 0, b = 0, e = 0, x = 0, y = 0, u = 0, U = 0, z = 0, r0 = 0, R0 = 0, r3 = 0, R3 = 0, c0 = 0, C0 = 0, c1 = 0, C1 = 0, c2 = 0, C2 = 0, t0 = 0, T0 = 0;
I[regionStale] = 0; k = I[budget];
w = I[tlb];
g = I[rip]; G = I[rip+4];
r0 = I[rax]; R0 = I[rax+4];
r3 = I[rbx]; R3 = I[rbx+4];
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
I[ccOp] = c0; I[ccOp+4] = C0;
I[ccDst] = c1; I[ccDst+4] = C1;
I[ccSrc] = c2; I[ccSrc+4] = C2;
t0 = computeCarry_result(0, 0, 0, 0, 0); T0 = I[scratch+1008];
c1 = r0 + 1 | 0; C1 = 0;
c2 = t0; C2 = T0;
r0 = c1; R0 = C1;
c0 = 26; C0 = 0;
k = k - 2 | 0;
u = g + 4103 | 0;
U = G + 0 + (u >>> 0 < 4103 >>> 0 ? 1 : 0) | 0;
a = u; b = U;
e = w + (a >>> 7 & 131040) >>> 2;
if (I[e + 4] === (a & -4096) && I[e + 5] === b && (a + I[e + 6] | 0) === 7348231) {
c1 = r0 - r3 | 0; C1 = 0;
c2 = r3; C2 = R3;
c0 = 14; C0 = 0;
if (r0 !== r3) {
k = k - 2 | 0;
a = g; b = G;
e = w + (a >>> 7 & 131040) >>> 2;
if (I[e + 4] === (a & -4096) && I[e + 5] === b && (a + I[e + 6] | 0) === 7344128) {
continue L0;
}
I[rip] = g; I[rip+4] = G;
z = 2097152; break X;
}
k = k - 2 | 0;
u = g + 4111 | 0;
U = G + 0 + (u >>> 0 < 4111 >>> 0 ? 1 : 0) | 0;
I[rip] = u; I[rip+4] = U;
z = follow(C + 0); break X;
}
u = g + 4103 | 0;
U = G + 0 + (u >>> 0 < 4103 >>> 0 ? 1 : 0) | 0;
I[rip] = u; I[rip+4] = U;
z = 2097152; break X;
}
}
z = 3;
}
I[rax] = r0; I[rax+4] = R0;
I[ccOp] = c0; I[ccOp+4] = C0;
I[ccDst] = c1; I[ccDst+4] = C1;
I[ccSrc] = c2; I[ccSrc+4] = C2;
I[budget] = k;
return z;
});
