"use strict";
const { I, V, follow, mulHigh, ctz, popcount, repeatString_result } = F;
return (function () {
let k = 0, w = 0, g = 0, G = 0, n = 0, N = 0, a = 0, b = 0, e = 0, x = 0, y = 0, u = 0, U = 0, z = 0, r0 = 0, R0 = 0, r1 = 0, R1 = 0, r3 = 0, R3 = 0, r6 = 0, R6 = 0, r7 = 0, R7 = 0, c0 = 0, C0 = 0, c1 = 0, C1 = 0, c2 = 0, C2 = 0, c3 = 0, C3 = 0, c4 = 0, C4 = 0, t0 = 0, T0 = 0;
I[regionStale] = 0; k = I[budget];
w = I[tlb];
g = I[rip]; G = I[rip+4];
r0 = I[rax]; R0 = I[rax+4];
r1 = I[rcx]; R1 = I[rcx+4];
r3 = I[rbx]; R3 = I[rbx+4];
r6 = I[rsi]; R6 = I[rsi+4];
r7 = I[rdi]; R7 = I[rdi+4];
c0 = I[ccOp]; C0 = I[ccOp+4];
c1 = I[ccDst]; C1 = I[ccDst+4];
c2 = I[ccSrc]; C2 = I[ccSrc+4];
c3 = I[ccSrc2]; C3 = I[ccSrc2+4];
c4 = I[ccCarry]; C4 = I[ccCarry+4];
X: { F: {
L0: for (;;) {
if (k <= I[exitRequest]) {
I[rip] = g; I[rip+4] = G;
z = 0; break X;
}
I[rip] = g; I[rip+4] = G;
r1 = 8; R1 = 0;
I[rax] = r0; I[rax+4] = R0;
I[rcx] = r1; I[rcx+4] = R1;
I[ccOp] = c0; I[ccOp+4] = C0;
I[ccDst] = c1; I[ccDst+4] = C1;
I[ccSrc] = c2; I[ccSrc+4] = C2;
I[opPointer] = 0;
t0 = repeatString_result(0, 0, 0, 0, 79888); T0 = I[scratch+1008];
r0 = I[rax]; R0 = I[rax+4];
r1 = I[rcx]; R1 = I[rcx+4];
r6 = I[rsi]; R6 = I[rsi+4];
r7 = I[rdi]; R7 = I[rdi+4];
c0 = I[ccOp]; C0 = I[ccOp+4];
c1 = I[ccDst]; C1 = I[ccDst+4];
c2 = I[ccSrc]; C2 = I[ccSrc+4];
c3 = I[ccSrc2]; C3 = I[ccSrc2+4];
c4 = I[ccCarry]; C4 = I[ccCarry+4];
if (t0 !== 0 || T0 !== 0) {
if (I[regionStale] !== 0) {
u = g + 7 | 0;
U = G + 0 + (u >>> 0 < 7 >>> 0 ? 1 : 0) | 0;
I[rip] = u; I[rip+4] = U;
z = 0; break X;
}
r0 = r0 + 1 | 0; R0 = 0;
c1 = r0 - r3 | 0; C1 = 0;
c2 = r3; C2 = R3;
c0 = 14; C0 = 0;
if (r0 !== r3) {
k = k - 5 | 0;
continue L0;
}
k = k - 5 | 0;
u = g + 13 | 0;
U = G + 0 + (u >>> 0 < 13 >>> 0 ? 1 : 0) | 0;
I[rip] = u; I[rip+4] = U;
z = follow(C + 0); break X;
}
k = k - 5 | 0;
u = g + 5 | 0;
U = G + 0 + (u >>> 0 < 5 >>> 0 ? 1 : 0) | 0;
I[rip] = u; I[rip+4] = U;
z = 0; break X;
}
}
z = 3;
}
I[rax] = r0; I[rax+4] = R0;
I[rcx] = r1; I[rcx+4] = R1;
I[rsi] = r6; I[rsi+4] = R6;
I[rdi] = r7; I[rdi+4] = R7;
I[ccOp] = c0; I[ccOp+4] = C0;
I[ccDst] = c1; I[ccDst+4] = C1;
I[ccSrc] = c2; I[ccSrc+4] = C2;
I[ccSrc2] = c3; I[ccSrc2+4] = C3;
I[ccCarry] = c4; I[ccCarry+4] = C4;
I[budget] = k;
return z;
});
