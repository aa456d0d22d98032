"use strict";
const { I, V, follow, mulHigh, ctz, popcount, compiledLoad, compiledStore } = F;
return (function () {
let k = 0, w = 0, g = 0, G = 0, n = 0, N = 0, a = 0, b = 0, e = 0, x = 0, y = 0, u = 0, U = 0, z = 0, r0 = 0, R0 = 0, r1 = 0, R1 = 0, r2 = 0, R2 = 0, r3 = 0, R3 = 0, r6 = 0, R6 = 0, r7 = 0, R7 = 0, r8 = 0, R8 = 0, c0 = 0, C0 = 0, c1 = 0, C1 = 0, c2 = 0, C2 = 0, t0 = 0, T0 = 0, t1 = 0, T1 = 0;
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
c0 = I[ccOp]; C0 = I[ccOp+4];
c1 = I[ccDst]; C1 = I[ccDst+4];
c2 = I[ccSrc]; C2 = I[ccSrc+4];
X: { F: {
L0: for (;;) {
if (k <= I[exitRequest]) {
I[rip] = g; I[rip+4] = G;
z = 0; break X;
}
x = r6; y = R6;
a = r1; x = x + a | 0; y = y + R1 + (x >>> 0 < a >>> 0 ? 1 : 0) | 0;
t0 = x; T0 = y;
e = w + (t0 >>> 7 & 131040) >>> 2;
if (I[e + 0] === (t0 & -4096) && I[e + 1] === T0) {
a = t0 + I[e + 6] >>> 0;
x = V.getUint8(a, true);
} else {
x = compiledLoad(t0, T0, 1);
if (I[excVector] >= 0) break F;
}
t1 = x; T1 = 0;
x = r0 & -256 | (t1 & 255) << 0; R0 = R0; r0 = x;
x = r7; y = R7;
a = r1; x = x + a | 0; y = y + R1 + (x >>> 0 < a >>> 0 ? 1 : 0) | 0;
t0 = x; T0 = y;
e = w + (t0 >>> 7 & 131040) >>> 2;
if (I[e + 2] === (t0 & -4096) && I[e + 3] === T0) {
a = t0 + I[e + 6] >>> 0;
V.setUint8(a, r0, true);
} else {
compiledStore(t0, T0, 33, r0, R0);
if (I[excVector] >= 0) break F;
}
x = r6; y = R6;
a = (r1 << 1); x = x + a | 0; y = y + (R1 << 1 | r1 >>> 31) + (x >>> 0 < a >>> 0 ? 1 : 0) | 0;
t0 = x; T0 = y;
e = w + (t0 >>> 7 & 131040) >>> 2;
if (I[e + 0] === (t0 + 1 & -4096) && I[e + 1] === T0) {
a = t0 + I[e + 6] >>> 0;
x = V.getUint16(a, true);
} else {
x = compiledLoad(t0, T0, 66);
if (I[excVector] >= 0) break F;
}
t1 = x; T1 = 0;
r2 = t1 << 16 >> 16; R2 = 0;
x = r7; y = R7;
a = (r1 << 1); x = x + a | 0; y = y + (R1 << 1 | r1 >>> 31) + (x >>> 0 < a >>> 0 ? 1 : 0) | 0;
t0 = x; T0 = y;
e = w + (t0 >>> 7 & 131040) >>> 2;
if (I[e + 2] === (t0 + 1 & -4096) && I[e + 3] === T0) {
a = t0 + I[e + 6] >>> 0;
V.setUint16(a, r2, true);
} else {
compiledStore(t0, T0, 98, r2, R2);
if (I[excVector] >= 0) break F;
}
x = r6; y = R6;
a = (r1 << 3); x = x + a | 0; y = y + (R1 << 3 | r1 >>> 29) + (x >>> 0 < a >>> 0 ? 1 : 0) | 0;
a = 8; x = x + a | 0; y = y + 0 + (x >>> 0 < a >>> 0 ? 1 : 0) | 0;
t0 = x; T0 = y;
e = w + (t0 >>> 7 & 131040) >>> 2;
if (I[e + 0] === (t0 + 7 & -4096) && I[e + 1] === T0) {
a = t0 + I[e + 6] >>> 0;
x = V.getInt32(a, true);
y = V.getInt32(a + 4, true);
} else {
x = compiledLoad(t0, T0, 136);
if (I[excVector] >= 0) break F;
y = I[scratch+1008];
}
r8 = x; R8 = y;
x = r7; y = R7;
a = (r1 << 3); x = x + a | 0; y = y + (R1 << 3 | r1 >>> 29) + (x >>> 0 < a >>> 0 ? 1 : 0) | 0;
t0 = x; T0 = y;
e = w + (t0 >>> 7 & 131040) >>> 2;
if (I[e + 2] === (t0 + 7 & -4096) && I[e + 3] === T0) {
a = t0 + I[e + 6] >>> 0;
V.setInt32(a, r8, true);
V.setInt32(a + 4, R8, true);
} else {
compiledStore(t0, T0, 168, r8, R8);
if (I[excVector] >= 0) break F;
}
x = r1 + 1 | 0; R1 = R1 + 0 + (x >>> 0 < r1 >>> 0 ? 1 : 0) | 0; r1 = x;
x = r1 - r3 | 0; C1 = R1 - R3 - (r1 >>> 0 < r3 >>> 0 ? 1 : 0) | 0; c1 = x;
c2 = r3; C2 = R3;
c0 = 15; C0 = 0;
if ((R1 === R3 ? r1 >>> 0 < r3 >>> 0 : R1 < R3)) {
k = k - 9 | 0;
continue L0;
}
k = k - 9 | 0;
u = g + 31 | 0;
U = G + 0 + (u >>> 0 < 31 >>> 0 ? 1 : 0) | 0;
I[rip] = u; I[rip+4] = U;
z = follow(C + 0); break X;
}
}
z = 3;
}
I[rax] = r0; I[rax+4] = R0;
I[rcx] = r1; I[rcx+4] = R1;
I[rdx] = r2; I[rdx+4] = R2;
I[r8] = r8; I[r8+4] = R8;
I[ccOp] = c0; I[ccOp+4] = C0;
I[ccDst] = c1; I[ccDst+4] = C1;
I[ccSrc] = c2; I[ccSrc+4] = C2;
I[budget] = k;
return z;
});
