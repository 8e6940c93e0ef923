/* The interpreter's dispatch table: the address of every instruction's body. Included inside wasm_interpret, once for
 * functions without vectors and once for others (LOCAL_LABEL says which); hence no include guard. */
#define LABEL(code, name) [SLOT(code)] = &&op_##name,
#define WASM_UN(code, name, text, a, r, value) LABEL(code, name)
#define WASM_BIN(code, name, text, a, b, r, value) LABEL(code, name)
#define WASM_TRI(code, name, text, a, b, c, r, value) LABEL(code, name)
#define WASM_UN_TRAP(code, name, text, a, r, check, value) LABEL(code, name)
#define WASM_BIN_TRAP(code, name, text, a, b, r, check, value) LABEL(code, name)
#define WASM_LOAD(code, name, text, r, align, type, value) LABEL(code, name)
#define WASM_STORE(code, name, text, a, align, type, value) LABEL(code, name)
#define WASM_EXTRACT(code, name, text, lanes, r, value) LABEL(code, name)
#define WASM_REPLACE(code, name, text, lanes, a, type) LABEL(code, name)
#define WASM_LOAD_LANE(code, name, text, align, type) LABEL(code, name)
#define WASM_STORE_LANE(code, name, text, align, type) LABEL(code, name)
#define WASM_OP(code, name, text, imm, signature) LABEL(code, name)
#define WASM_LOCAL_OP(code, name, text, imm, signature) LOCAL_LABEL(code, name)
[0xfc] = &&prefix_fc, [0xfd] = &&prefix_fd,
#include "wasm/opcodes.def"
#undef LABEL
