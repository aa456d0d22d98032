"use strict";
const { I, V, follow, mulHigh, ctz, popcount, compiledStore, compiledLoad, computeCarry_result, raiseExceptionError } = F;
return (function () {
let k = 0, w = 0, g = 0, G = 0, n = 0, N = 0, a = 0, b = 0, e = 0, x = 0, y = 0, u = 0, U = 0, z = 0, r0 = 0, R0 = 0, r1 = 0, R1 = 0, r3 = 0, R3 = 0, r4 = 0, R4 = 0, c0 = 0, C0 = 0, c1 = 0, C1 = 0, c2 = 0, C2 = 0, t0 = 0, T0 = 0, t1 = 0, T1 = 0;
I[regionStale] = 0; k = I[budget];
w = I[tlb];
g = I[rip]; G = I[rip+4];
r0 = I[rax]; R0 = I[rax+4];
r1 = I[rcx]; R1 = I[rcx+4];
r3 = I[rbx]; R3 = I[rbx+4];
r4 = I[rsp]; R4 = I[rsp+4];
c0 = I[ccOp]; C0 = I[ccOp+4];
c1 = I[ccDst]; C1 = I[ccDst+4];
c2 = I[ccSrc]; C2 = I[ccSrc+4];
X: { F: {
L0: for (;;) {
if (k <= I[exitRequest]) {
I[rip] = g; I[rip+4] = G;
z = 0; break X;
}
x = r4; y = R4;
a = (-8); x = x + a | 0; y = y + (-1) + (x >>> 0 < a >>> 0 ? 1 : 0) | 0;
t0 = x; T0 = y;
e = w + (t0 >>> 7 & 131040) >>> 2;
if (I[e + 2] === (t0 + 7 & -4096) && I[e + 3] === T0) {
a = t0 + I[e + 6] >>> 0;
V.setInt32(a, r3, true);
V.setInt32(a + 4, R3, true);
} else {
compiledStore(t0, T0, 8, r3, R3);
if (I[excVector] >= 0) break F;
}
r4 = t0; R4 = T0;
x = g; y = G;
a = 6; x = x + a | 0; y = y + 0 + (x >>> 0 < a >>> 0 ? 1 : 0) | 0;
t0 = x; T0 = y;
x = r4; y = R4;
a = (-8); x = x + a | 0; y = y + (-1) + (x >>> 0 < a >>> 0 ? 1 : 0) | 0;
t1 = x; T1 = y;
e = w + (t1 >>> 7 & 131040) >>> 2;
if (I[e + 2] === (t1 + 7 & -4096) && I[e + 3] === T1) {
a = t1 + I[e + 6] >>> 0;
V.setInt32(a, t0, true);
V.setInt32(a + 4, T0, true);
} else {
compiledStore(t1, T1, 40, t0, T0);
if (I[excVector] >= 0) break F;
}
r4 = t1; R4 = T1;
k = k - 2 | 0;
B3: {
u = g + 12 | 0;
U = G + 0 + (u >>> 0 < 12 >>> 0 ? 1 : 0) | 0;
I[rip] = u; I[rip+4] = U;
x = r4; y = R4;
a = 8; x = x + a | 0; y = y + 0 + (x >>> 0 < a >>> 0 ? 1 : 0) | 0;
t0 = x; T0 = y;
e = w + (t0 >>> 7 & 131040) >>> 2;
if (I[e + 0] === (t0 + 7 & -4096) && I[e + 1] === T0) {
a = t0 + I[e + 6] >>> 0;
x = V.getInt32(a, true);
y = V.getInt32(a + 4, true);
} else {
x = compiledLoad(t0, T0, 72);
if (I[excVector] >= 0) break F;
y = I[scratch+1008];
}
r0 = x; R0 = y;
I[ccOp] = c0; I[ccOp+4] = C0;
I[ccDst] = c1; I[ccDst+4] = C1;
I[ccSrc] = c2; I[ccSrc+4] = C2;
t0 = computeCarry_result(0, 0, 0, 0, 0); T0 = I[scratch+1008];
x = r0 + 1 | 0; C1 = R0 + 0 + (x >>> 0 < r0 >>> 0 ? 1 : 0) | 0; c1 = x;
c2 = t0; C2 = T0;
r0 = c1; R0 = C1;
e = w + (r4 >>> 7 & 131040) >>> 2;
if (I[e + 0] === (r4 + 7 & -4096) && I[e + 1] === R4) {
a = r4 + I[e + 6] >>> 0;
x = V.getInt32(a, true);
y = V.getInt32(a + 4, true);
} else {
x = compiledLoad(r4, R4, 104);
if (I[excVector] >= 0) break F;
y = I[scratch+1008];
}
t0 = x; T0 = y;
if ((T0 >> 15) + 1 >>> 0 < 2) {
break B3;
}
I[rax] = r0; I[rax+4] = R0;
I[rcx] = r1; I[rcx+4] = R1;
I[rbx] = r3; I[rbx+4] = R3;
I[rsp] = r4; I[rsp+4] = R4;
I[ccDst] = c1; I[ccDst+4] = C1;
I[ccSrc] = c2; I[ccSrc+4] = C2;
I[opPointer] = 3;
raiseExceptionError(0, 0, 0, 0, 13);
break B3;
}
x = r4; y = R4;
a = 8; x = x + a | 0; y = y + 0 + (x >>> 0 < a >>> 0 ? 1 : 0) | 0;
r4 = x; R4 = y;
n = t0; N = T0;
c0 = 27; C0 = 0;
k = k - 3 | 0;
u = g + 6 | 0;
U = G + 0 + (u >>> 0 < 6 >>> 0 ? 1 : 0) | 0;
if (n === u && N === U) {
u = g + 6 | 0;
U = G + 0 + (u >>> 0 < 6 >>> 0 ? 1 : 0) | 0;
I[rip] = u; I[rip+4] = U;
e = w + (r4 >>> 7 & 131040) >>> 2;
if (I[e + 0] === (r4 + 7 & -4096) && I[e + 1] === R4) {
a = r4 + I[e + 6] >>> 0;
x = V.getInt32(a, true);
y = V.getInt32(a + 4, true);
} else {
x = compiledLoad(r4, R4, 136);
if (I[excVector] >= 0) break F;
y = I[scratch+1008];
}
r3 = x; R3 = y;
x = r4; y = R4;
a = 8; x = x + a | 0; y = y + 0 + (x >>> 0 < a >>> 0 ? 1 : 0) | 0;
r4 = x; R4 = y;
I[ccOp] = c0; I[ccOp+4] = C0;
I[ccDst] = c1; I[ccDst+4] = C1;
I[ccSrc] = c2; I[ccSrc+4] = C2;
t0 = computeCarry_result(0, 0, 0, 0, 0); T0 = I[scratch+1008];
c1 = r1 - 1 | 0; C1 = 0;
c2 = t0; C2 = T0;
r1 = c1; R1 = C1;
c0 = 30; C0 = 0;
if (r1 !== 0) {
k = k - 3 | 0;
continue L0;
}
k = k - 3 | 0;
u = g + 11 | 0;
U = G + 0 + (u >>> 0 < 11 >>> 0 ? 1 : 0) | 0;
I[rip] = u; I[rip+4] = U;
z = follow(C + 0); break X;
}
I[rip] = n; I[rip+4] = N;
z = 2097152; break X;
}
}
z = 3;
}
I[rax] = r0; I[rax+4] = R0;
I[rcx] = r1; I[rcx+4] = R1;
I[rbx] = r3; I[rbx+4] = R3;
I[rsp] = r4; I[rsp+4] = R4;
I[ccOp] = c0; I[ccOp+4] = C0;
I[ccDst] = c1; I[ccDst+4] = C1;
I[ccSrc] = c2; I[ccSrc+4] = C2;
I[budget] = k;
return z;
});
