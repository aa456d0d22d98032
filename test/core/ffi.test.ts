/** Functions of the C library, and what their failures are called. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { loadCLibrary } from "../../core/ffi.ts";

test("a failure has errno's name, the usual one where there are several", async () => {
  const c = await loadCLibrary();
  const read = c.function("long read(int fd, void *data, size_t size)");
  const nonBlocking = 0x800;
  const empty = c.function("int eventfd(unsigned int value, int flags)")(0, nonBlocking);
  const data = new Uint8Array(8);
  assert.is(read(empty, data, 8), -1);
  assert.is(c.errorName(), "EAGAIN");
  assert.is(read(-1, data, 8), -1);
  assert.is(c.errorName(), "EBADF");
  assert.is(c.function("int close(int fd)")(empty), 0);
  assert.throws(() => c.function("int no_such_function(void)"));
});

test.run();
