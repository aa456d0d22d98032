"use strict";
const { I, V, follow, mulHigh, ctz, popcount, compiledLoad, computeCarry_result, raiseExceptionError } = F;
return (function () {
let k = 0, w = 0, g = 0, G = 0, n = 0, N = 0, a = 0, b = 0, e = 0, x = 0, y = 0, u = 0, U = 0, z = 0, r0 = 0, R0 = 0, r2 = 0, R2 = 0, r3 = 0, R3 = 0, r6 = 0, R6 = 0, c0 = 0, C0 = 0, c1 = 0, C1 = 0, c2 = 0, C2 = 0, t0 = 0, T0 = 0, t1 = 0, T1 = 0;
I[regionStale] = 0; k = I[budget];
w = I[tlb];
g = I[rip]; G = I[rip+4];
r0 = I[rax]; R0 = I[rax+4];
r2 = I[rdx]; R2 = I[rdx+4];
r3 = I[rbx]; R3 = I[rbx+4];
r6 = I[rsi]; R6 = I[rsi+4];
c0 = I[ccOp]; C0 = I[ccOp+4];
c1 = I[ccDst]; C1 = I[ccDst+4];
c2 = I[ccSrc]; C2 = I[ccSrc+4];
X: { F: {
L0: for (;;) {
B2: {
if (k <= I[exitRequest]) {
I[rip] = g; I[rip+4] = G;
z = 0; break X;
}
I[rip] = g; I[rip+4] = G;
e = w + (r6 >>> 7 & 131040) >>> 2;
if (I[e + 0] === (r6 & -4096) && I[e + 1] === R6) {
a = r6 + I[e + 6] >>> 0;
x = V.getUint8(a, true);
} else {
x = compiledLoad(r6, R6, 1);
if (I[excVector] >= 0) break F;
}
r0 = x; R0 = 0;
I[ccOp] = c0; I[ccOp+4] = C0;
I[ccDst] = c1; I[ccDst+4] = C1;
I[ccSrc] = c2; I[ccSrc+4] = C2;
t0 = computeCarry_result(0, 0, 0, 0, 0); T0 = I[scratch+1008];
x = r6 + 1 | 0; C1 = R6 + 0 + (x >>> 0 < r6 >>> 0 ? 1 : 0) | 0; c1 = x;
c2 = t0; C2 = T0;
r6 = c1; R6 = C1;
x = r3; y = R3;
a = (r0 << 3); x = x + a | 0; y = y + (R0 << 3 | r0 >>> 29) + (x >>> 0 < a >>> 0 ? 1 : 0) | 0;
t0 = x; T0 = y;
e = w + (t0 >>> 7 & 131040) >>> 2;
if (I[e + 0] === (t0 + 7 & -4096) && I[e + 1] === T0) {
a = t0 + I[e + 6] >>> 0;
x = V.getInt32(a, true);
y = V.getInt32(a + 4, true);
} else {
x = compiledLoad(t0, T0, 40);
if (I[excVector] >= 0) break F;
y = I[scratch+1008];
}
t1 = x; T1 = y;
if ((T1 >> 15) + 1 >>> 0 < 2) {
break B2;
}
I[rax] = r0; I[rax+4] = R0;
I[rdx] = r2; I[rdx+4] = R2;
I[rsi] = r6; I[rsi+4] = R6;
I[ccDst] = c1; I[ccDst+4] = C1;
I[ccSrc] = c2; I[ccSrc+4] = C2;
I[opPointer] = 1;
raiseExceptionError(0, 0, 0, 0, 13);
break B2;
}
n = t1; N = T1;
c0 = 27; C0 = 0;
k = k - 3 | 0;
u = g + 13 | 0;
U = G + 0 + (u >>> 0 < 13 >>> 0 ? 1 : 0) | 0;
if (n === u && N === U) {
u = g + 13 | 0;
U = G + 0 + (u >>> 0 < 13 >>> 0 ? 1 : 0) | 0;
I[rip] = u; I[rip+4] = U;
I[ccOp] = c0; I[ccOp+4] = C0;
I[ccDst] = c1; I[ccDst+4] = C1;
I[ccSrc] = c2; I[ccSrc+4] = C2;
t0 = computeCarry_result(0, 0, 0, 0, 0); T0 = I[scratch+1008];
c1 = r2 - 1 | 0; C1 = 0;
c2 = t0; C2 = T0;
r2 = c1; R2 = C1;
c0 = 30; C0 = 0;
k = k - 2 | 0;
continue L0;
}
u = g + 9 | 0;
U = G + 0 + (u >>> 0 < 9 >>> 0 ? 1 : 0) | 0;
if (n === u && N === U) {
u = g + 9 | 0;
U = G + 0 + (u >>> 0 < 9 >>> 0 ? 1 : 0) | 0;
I[rip] = u; I[rip+4] = U;
I[ccOp] = c0; I[ccOp+4] = C0;
I[ccDst] = c1; I[ccDst+4] = C1;
I[ccSrc] = c2; I[ccSrc+4] = C2;
t0 = computeCarry_result(0, 0, 0, 0, 0); T0 = I[scratch+1008];
c1 = r2 + 1 | 0; C1 = 0;
c2 = t0; C2 = T0;
r2 = c1; R2 = C1;
c0 = 26; C0 = 0;
k = k - 2 | 0;
continue L0;
}
I[rip] = n; I[rip+4] = N;
z = 2097152; break X;
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
I[budget] = k;
return z;
});
