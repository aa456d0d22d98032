/** The helper module: everything exported here can be called from IR by name. */

export * from "./fault";
