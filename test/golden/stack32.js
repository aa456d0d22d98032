"use strict";
const { I, V, follow, mulHigh, ctz, popcount, compiledStore, compiledLoad } = F;
return (function () {
let k = 0, w = 0, g = 0, G = 0, n = 0, N = 0, a = 0, b = 0, e = 0, x = 0, y = 0, u = 0, U = 0, z = 0, r0 = 0, R0 = 0, r1 = 0, R1 = 0, r3 = 0, R3 = 0, r4 = 0, R4 = 0, c0 = 0, C0 = 0, c1 = 0, C1 = 0, c2 = 0, C2 = 0, t0 = 0, T0 = 0, t1 = 0, T1 = 0, t2 = 0, T2 = 0, t3 = 0, T3 = 0;
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
I[rip] = g; I[rip+4] = 0;
z = 0; break X;
}
t0 = r4 + 0 + (-4) | 0; T0 = 0;
e = w + (t0 >>> 7 & 131040) >>> 2;
if (I[e + 2] === (t0 + 3 & -4096) && I[e + 3] === T0) {
a = t0 + I[e + 6] >>> 0;
V.setInt32(a, r0, true);
} else {
compiledStore(t0, T0, 4, r0, R0);
if (I[excVector] >= 0) break F;
}
r4 = t0; R4 = T0;
t0 = r4 + (r1 << 2) + 8 | 0; T0 = 0;
e = w + (t0 >>> 7 & 131040) >>> 2;
if (I[e + 0] === (t0 + 3 & -4096) && I[e + 1] === T0) {
a = t0 + I[e + 6] >>> 0;
x = V.getInt32(a, true);
} else {
x = compiledLoad(t0, T0, 36);
if (I[excVector] >= 0) break F;
}
r0 = x; R0 = 0;
t0 = r3; T0 = 0;
e = w + (t0 >>> 7 & 131040) >>> 2;
if (I[e + 0] === (t0 + 3 & -4096) && I[e + 1] === T0) {
a = t0 + I[e + 6] >>> 0;
x = V.getInt32(a, true);
} else {
x = compiledLoad(t0, T0, 68);
if (I[excVector] >= 0) break F;
}
t1 = x; T1 = 0;
t2 = t1 + r0 | 0; T2 = 0;
e = w + (t0 >>> 7 & 131040) >>> 2;
if (I[e + 2] === (t0 + 3 & -4096) && I[e + 3] === T0) {
a = t0 + I[e + 6] >>> 0;
V.setInt32(a, t2, true);
} else {
compiledStore(t0, T0, 68, t2, T2);
if (I[excVector] >= 0) break F;
}
c2 = r0; C2 = R0;
c1 = t2; C1 = T2;
e = w + (r4 >>> 7 & 131040) >>> 2;
if (I[e + 0] === (r4 + 3 & -4096) && I[e + 1] === R4) {
a = r4 + I[e + 6] >>> 0;
x = V.getInt32(a, true);
} else {
x = compiledLoad(r4, R4, 100);
if (I[excVector] >= 0) break F;
}
r0 = x; R0 = 0;
r4 = r4 + 0 + 4 | 0; R4 = 0;
t0 = r1; T0 = 0;
r1 = t0 - 1 | 0; R1 = 0;
t3 = r1 !== 0 || R1 !== 0 ? 1 : 0; T3 = 0;
c0 = 6; C0 = 0;
if (t3 !== 0) {
k = k - 5 | 0;
continue L0;
}
k = k - 5 | 0;
u = g + 10 | 0;
I[rip] = u; I[rip+4] = 0;
z = follow(C + 0); break X;
}
}
z = 3;
}
I[rax] = r0; I[rax+4] = R0;
I[rcx] = r1; I[rcx+4] = R1;
I[rsp] = r4; I[rsp+4] = R4;
I[ccOp] = c0; I[ccOp+4] = C0;
I[ccDst] = c1; I[ccDst+4] = C1;
I[ccSrc] = c2; I[ccSrc+4] = C2;
I[budget] = k;
return z;
});
