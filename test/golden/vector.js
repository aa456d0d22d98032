"use strict";
const { I, V, follow, mulHigh, ctz, popcount, compiledLoad128, v_i32x4_add, v_v128_xor, pshufd, compiledStore128 } = F;
return (function () {
let k = 0, w = 0, g = 0, G = 0, n = 0, N = 0, a = 0, b = 0, e = 0, x = 0, y = 0, u = 0, U = 0, z = 0, r0 = 0, R0 = 0, r2 = 0, R2 = 0, r6 = 0, R6 = 0, r7 = 0, R7 = 0, c0 = 0, C0 = 0, c1 = 0, C1 = 0, c2 = 0, C2 = 0;
I[regionStale] = 0; k = I[budget];
w = I[tlb];
g = I[rip]; G = I[rip+4];
r0 = I[rax]; R0 = I[rax+4];
r2 = I[rdx]; R2 = I[rdx+4];
r6 = I[rsi]; R6 = I[rsi+4];
r7 = I[rdi]; R7 = I[rdi+4];
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
if (I[e + 0] === (r6 + 15 & -4096) && I[e + 1] === R6) {
a = r6 + I[e + 6] >>> 0;
I[v0] = V.getInt32(a + 0, true);
I[v0+4] = V.getInt32(a + 4, true);
I[v0.high] = V.getInt32(a + 8, true);
I[v0.high+4] = V.getInt32(a + 12, true);
} else {
compiledLoad128(r6, R6, 16);
if (I[excVector] >= 0) break F;
I[v0] = I[scratch+1008];
I[v0+4] = I[scratch+1012];
I[v0.high] = I[scratch+1016];
I[v0.high+4] = I[scratch+1020];
}
I[xmm0] = I[v0];
I[xmm0+4] = I[v0+4];
I[xmm0.high] = I[v0.high];
I[xmm0.high+4] = I[v0.high+4];
v_i32x4_add(xmm0, xmm0, xmm1);
v_v128_xor(xmm2, xmm2, xmm0);
pshufd(27, 0, 0, 0, 93324704);
e = w + (r7 >>> 7 & 131040) >>> 2;
if (I[e + 2] === (r7 + 15 & -4096) && I[e + 3] === R7) {
a = r7 + I[e + 6] >>> 0;
V.setInt32(a + 0, I[xmm3], true);
V.setInt32(a + 4, I[xmm3+4], true);
V.setInt32(a + 8, I[xmm3.high], true);
V.setInt32(a + 12, I[xmm3.high+4], true);
} else {
I[scratch+1008] = I[xmm3];
I[scratch+1012] = I[xmm3+4];
I[scratch+1016] = I[xmm3.high];
I[scratch+1020] = I[xmm3.high+4];
compiledStore128(r7, R7, 48);
if (I[excVector] >= 0) break F;
}
r0 = I[xmm2]; R0 = I[xmm2+4];
x = r6 + 16 | 0; R6 = R6 + 0 + (x >>> 0 < r6 >>> 0 ? 1 : 0) | 0; r6 = x;
x = r6 - r2 | 0; C1 = R6 - R2 - (r6 >>> 0 < r2 >>> 0 ? 1 : 0) | 0; c1 = x;
c2 = r2; C2 = R2;
c0 = 15; C0 = 0;
if (r6 !== r2 || R6 !== R2) {
k = k - 9 | 0;
continue L0;
}
k = k - 9 | 0;
u = g + 35 | 0;
U = G + 0 + (u >>> 0 < 35 >>> 0 ? 1 : 0) | 0;
I[rip] = u; I[rip+4] = U;
z = follow(C + 0); break X;
}
}
z = 3;
}
I[rax] = r0; I[rax+4] = R0;
I[rsi] = r6; I[rsi+4] = R6;
I[ccOp] = c0; I[ccOp+4] = C0;
I[ccDst] = c1; I[ccDst+4] = C1;
I[ccSrc] = c2; I[ccSrc+4] = C2;
I[budget] = k;
return z;
});
