/** The helper module: everything exported here can be called from IR by name. */

export * from "./control-registers";
export * from "./control-transfer";
export * from "./crypto";
export * from "./debug";
export * from "./fault";
export * from "./fetch";
export * from "./flags";
export * from "./integer";
export * from "./interrupts";
export * from "./mmu";
export * from "./ports";
export * from "./segments";
export * from "./smm";
export * from "./sse-convert";
export * from "./sse-float";
export * from "./sse-int";
export * from "./strings";
export * from "./strings42";
export * from "./syscalls";
export * from "./system";
export * from "./tlb";
export * from "./transcendental";
export * from "./walk";
export * from "./x87";
export * from "./x87-env";
export * from "./xsave";
