/**
 * The instruction set: what the host writes into linear memory and the core reads from it. `asc` compiles this file
 * into the core and TypeScript into the host, so the two sides cannot drift. Everything here is a constant.
 *
 * A program is a run of records, each a run of 32-bit words:
 *
 *   ┌────┬───────┬────────┬──────────────┐
 *   │ op │ words │ chunks │ operands …   │   words counts the whole record, these three included
 *   └────┴───────┴────────┴──────────────┘
 *
 * and ends with an END record. Pointers are absolute byte addresses (patched in when a program is loaded); sizes and
 * strides count elements. A record's work is cut into `chunks`, 1 to MAX_CHUNKS, that depend on shapes alone; any thread
 * may run any chunk, in any order. `real` is the precision of the build: f32 or f64.
 */

/** What a record does. One kernel each; the comment names the file under `kernels/` that has it. */
export const enum Op {
  END = 0,
  MAP = 1, // map.ts
  REDUCE = 2, // reduce.ts
  SOFTMAX = 3, // softmax.ts
  SOFTMAX_BACKWARD = 4, // softmax.ts
  COPY = 5, // movement.ts
  FILL = 6, // movement.ts
  GATHER = 7, // gather.ts
  SCATTER_ADD = 8, // gather.ts
  RANDOM = 9, // random.ts
  GEMM = 10, // gemm.ts
  SGD = 11, // optimizer.ts
  ADAM = 12, // optimizer.ts
  CHECK = 13, // commit.ts
  COMMIT = 14, // commit.ts
  GROUP = 15, // run.ts
  CHAIN = 16, // run.ts
  PACK = 17, // pack.ts
  // From here on in the extension, see extension.ts
  EXTENSION = 64,
  ARGSORT = 64, // sort.ts
  CONVOLUTION = 65, // convolution.ts
  CONVOLUTION_WEIGHT = 66, // convolution.ts
  CONVOLUTION_TRANSPOSE = 67, // convolution.ts
  MAX_POOL = 70, // pooling.ts
  AVERAGE_POOL = 71, // pooling.ts
  AVERAGE_POOL_BACKWARD = 72, // pooling.ts
  MAX_POOL_BACKWARD = 73, // pooling.ts
  NORMALIZE = 75, // norm.ts
  NORMALIZE_BACKWARD = 76, // norm.ts
  UPSAMPLE = 77, // upsample.ts
  UPSAMPLE_BACKWARD = 78, // upsample.ts
  SOLVE = 80, // linalg.ts
  CHOLESKY = 81, // linalg.ts
  RECURRENT = 84, // recurrent.ts
  RECURRENT_BACKWARD = 85, // recurrent.ts
  ATTENTION = 90, // attention.ts
  ATTENTION_BACKWARD = 91, // attention.ts
  DYNAMIC_COPY = 96, // dynamic.ts
  LOOP = 97, // loop.ts
}

/** The first three words of every record. */
export const enum Record {
  OP = 0,
  WORDS = 1,
  CHUNKS = 2,
}

/** Element types as records name them. REAL is the build's own precision, OTHER the one it is not (only casts read it). */
export const enum Type {
  REAL = 0,
  I32 = 1,
  U8 = 2,
  BOOL = 3,
  OTHER = 4,
}

/**
 * The control block, at a fixed address below the tables that `asc` places from byte 1024 on. Offsets are in bytes.
 *
 *   0        8      12         16        20        24       28     32      36   40      44      48        52      56         60
 *   ┌────────┬──────┬──────────┬─────────┬─────────┬────────┬──────┬───────┬────┬───────┬───────┬─────────┬───────┬──────────┐
 *   │ ticket │ done │ sequence │ program │ threads │ poison │ flag │ fault │ at │ value │ limit │ scratch │ build │ sleepers │
 *   └────────┴──────┴──────────┴─────────┴─────────┴────────┴──────┴───────┴────┴───────┴───────┴─────────┴───────┴──────────┘
 */
export const enum Control {
  BASE = 64, // the address of the block
  /** i64 (run, record, 0): what is under way; see chunks.ts. Never reset, so that a late thread's claim fails. */
  TICKET = 0,
  /** Chunks of the current record that are complete. */
  DONE = 8,
  /** Programs started; the word on which idle threads sleep. */
  SEQUENCE = 12,
  /** The program that run `SEQUENCE` executes, and for how many threads. */
  PROGRAM = 16,
  THREADS = 20,
  /** Not 0: every thread leaves. */
  POISON = 24,
  /** Not 0: a CHECK saw a NaN or an infinity in this run. */
  FLAG = 28,
  /** The first fault of this run: a `Fault`, the address of its record, the bad value, the bound it broke. */
  FAULT = 32,
  FAULT_AT = 36,
  FAULT_VALUE = 40,
  FAULT_LIMIT = 44,
  /** The address of thread 0's scratch; thread t's lies t · SCRATCH_BYTES behind it. */
  SCRATCH = 48,
  /** For which build the running program is, and whether for its extension: the threads of all builds serve one memory, each only its own programs. */
  BUILD = 52,
  /** Threads that sleep until the ticket changes. */
  SLEEPERS = 56,
}

/**
 * Where memory that the host may allocate begins. Below lie the control block and the constant tables of all builds, each
 * from its memoryBase in asconfig.json on, so that several cores can live in one memory.
 */
export const HEAP_BASE = 65536;

/** What a kernel may find wrong with values, as opposed to shapes. */
export const enum Fault {
  NONE = 0,
  INDEX = 1, // an index outside 0 … limit - 1
  SINGULAR = 2, // matrix `value` of `limit` has no pivot that is finite and not 0
  NOT_POSITIVE = 3, // matrix `value` of `limit` is not positive definite
}

/** What `run` returns. */
export const enum Status {
  DONE = 0,
  NON_FINITE = 1, // the commit was skipped, and with it every record behind it
  FAULT = 2, // likewise
  POISONED = 3,
}

/**
 * Scratch memory of one thread: tiles of MAP, panels of GEMM, lanes of REDUCE, block sums of SOFTMAX, words of RANDOM; and the
 * thread's ticket, in a line of the cache of its own, at the end.
 */
export const SCRATCH_BYTES = 589824;
export const TICKET_BYTES = 64;
/** Every buffer starts at a multiple of this and has SLACK readable bytes behind its last element. */
export const ALIGNMENT = 64;
export const SLACK = 32;

/** A chunk's number and a record's place share the ticket's 64 bits: see chunks.ts. */
export const MAX_CHUNKS = 65535;
export const MAX_PROGRAM_WORDS = 1048575;

/**
 * MAP: a chain of elementwise steps over SIZE elements, tile by tile, so that what lies between two steps stays in L1.
 * SLOTS say where operands are, STEPS what happens to them:
 *
 *   [ header | SLOTS × SLOT_WORDS | STEPS × STEP_WORDS | dims of the STRIDED slots ]
 *   slot: kind, type, and by kind  DIRECT: pointer, 0   STRIDED: pointer, word (in this record) of its dims
 *                                  CONSTANT: low and high word of an f64   TILE, PASSED: 0, 0
 *   step: fn, destination slot, a, b, c   (unused operands are 0)
 *   dims: rank, then (size, stride) per axis, the outermost first; sizes multiply up to SIZE; strides may be 0 or negative
 */
export const enum Map {
  SIZE = 3,
  CHUNK = 4, // elements of a chunk, a multiple of MAP_TILE
  SLOTS = 5,
  STEPS = 6,
  FIRST_SLOT = 7,
  SLOT_WORDS = 4,
  STEP_WORDS = 5,
}
export const enum Slot {
  DIRECT = 0, // contiguous elements in memory: read or written in place
  STRIDED = 1, // a broadcast or strided operand: gathered into a tile before the steps
  CONSTANT = 2, // one number in every lane
  TILE = 3, // an intermediate: lives in scratch only
  PASSED = 4, // a result for the REDUCE behind it in a CHAIN: a chunk's elements, in scratch from FOLD on
}
/** Where in scratch a MAP leaves a chunk, of FOLD_ELEMENTS at most, for the REDUCE that follows it. */
export const FOLD = 540672;
export const FOLD_ELEMENTS = 4096;
export const MAP_TILE = 1024;
export const MAP_MAX_SLOTS = 32;

/**
 * The elementwise functions. `R` is real; a comparison writes BOOL, one byte of 0 or 1. Unless said otherwise operands
 * and result have the type in the name. NaN propagates as in IEEE 754; MAXIMUM and MINIMUM return NaN if either is NaN.
 */
export const enum Fn {
  // real → real
  COPY_R = 0,
  NEG = 1,
  ABS = 2,
  SQRT = 3,
  EXP = 4,
  LOG = 5,
  LOG1P = 6,
  EXPM1 = 7,
  TANH = 8,
  SIGMOID = 9,
  ERF = 10,
  SIN = 11,
  COS = 12,
  FLOOR = 13,
  CEIL = 14,
  ROUND = 15, // half to even
  SIGN = 16, // -1, 0, 1; NaN stays
  RELU = 17, // max(0, x): -∞ gives 0, NaN stays, -0 gives 0
  RECIPROCAL = 18,
  // real, real → real
  ADD = 24,
  SUB = 25,
  MUL = 26,
  DIV = 27,
  MAXIMUM = 28,
  MINIMUM = 29,
  POW = 30, // x^y with C's special cases: pow(x, 0) = 1, negative x with whole y, …
  GATE = 31, // b where a > 0, else 0: relu backward
  // real, real → bool
  EQ = 36,
  NE = 37,
  LT = 38,
  LE = 39,
  IS_FINITE = 40, // real → bool
  // i32
  COPY_I = 48,
  NEG_I = 49,
  ABS_I = 50,
  SIGN_I = 51,
  ADD_I = 52,
  SUB_I = 53,
  MUL_I = 54,
  DIV_I = 55, // towards -∞, as Python's //; x / 0 is 0
  MAXIMUM_I = 56,
  MINIMUM_I = 57,
  EQ_I = 60, // i32, i32 → bool
  NE_I = 61,
  LT_I = 62,
  LE_I = 63,
  // u8 and bool (both one unsigned byte)
  COPY_B = 68,
  EQ_B = 69, // → bool
  NE_B = 70,
  LT_B = 71,
  LE_B = 72,
  AND = 73,
  OR = 74,
  XOR = 75,
  NOT = 76,
  // a is bool: dst = a ? b : c
  WHERE_R = 80,
  WHERE_I = 81,
  WHERE_B = 82,
  // casts: towards zero and saturating where the target is whole (NaN gives 0); to BOOL: x ≠ 0
  R_TO_OTHER = 88,
  OTHER_TO_R = 89,
  R_TO_I = 90,
  I_TO_R = 91,
  R_TO_U8 = 92,
  U8_TO_R = 93,
  R_TO_BOOL = 94,
  I_TO_U8 = 95,
  U8_TO_I = 96,
  I_TO_BOOL = 97,
  U8_TO_BOOL = 98,
}

/**
 * REDUCE: [OUTER, N, INNER] (contiguous, row-major) → [OUTER, BLOCKS, INNER].
 * The order of a sum (and product) is a law: N is cut into blocks of REDUCE_BLOCK; inside a block element i goes to
 * lane i mod 8, each lane adds in rising order from 0 (a product: from 1), and the lanes join as
 * ((l0+l4)+(l2+l6)) + ((l1+l5)+(l3+l7)). Where BLOCKS > 1 the host emits a second REDUCE over the block results.
 * All else takes N at once (BLOCKS is 1). A NaN wins: max and min are NaN, argmax and argmin the index of the first one.
 * Of -0 and 0 the maximum is 0 and the minimum -0; to argmax and argmin they are equal, and the first of equals wins.
 * N may be 0 for SUM (0), PROD (1), ANY (0) and ALL (1) only; BLOCKS is 1 then too.
 * An item is (outer, block, group of REDUCE_COLUMNS inner columns), in that order; a chunk runs ITEMS of them.
 * Where SOURCE is 0 a chunk's elements lie in scratch, from FOLD on (INNER is 1).
 */
export const enum Reduce {
  FN = 3,
  TYPE = 4, // of the source: REAL, I32, U8 or BOOL
  OUTER = 5,
  N = 6,
  INNER = 7,
  BLOCKS = 8, // max(1, ceil(N / REDUCE_BLOCK)) for sums and products, else 1
  ITEMS = 9,
  SOURCE = 10,
  DESTINATION = 11,
  WORDS = 12,
}
export const enum ReduceFn {
  SUM = 0, // REAL → REAL, I32 → I32
  PROD = 1, // likewise
  MAX = 2, // REAL, I32, U8
  MIN = 3,
  ARGMAX = 4, // REAL or I32 → I32, the index along N
  ARGMIN = 5,
  ANY = 6, // BOOL → BOOL
  ALL = 7,
}
export const REDUCE_BLOCK = 4096;
export const REDUCE_COLUMNS = 256;

/**
 * SOFTMAX over the rows of a contiguous [ROWS, N]: y = exp(x - max) / Σ exp(x - max), or its logarithm
 * x - max - log Σ exp(x - max). Sums follow REDUCE's order (blocks of a row added by the same rule).
 * A row whose maximum is -∞ gives NaN, as in PyTorch. A chunk runs CHUNK rows. DESTINATION may be SOURCE.
 */
export const enum Softmax {
  LOG = 3, // 0: softmax, 1: its logarithm
  ROWS = 4,
  N = 5,
  CHUNK = 6,
  SOURCE = 7,
  DESTINATION = 8,
  WORDS = 9,
}
/**
 * From y (what SOFTMAX wrote) and the cotangent g: softmax y·(g - Σ g·y), logarithm g - exp(y)·Σ g; sums as above.
 * DESTINATION may be OUTPUT or COTANGENT.
 */
export const enum SoftmaxBackward {
  LOG = 3,
  ROWS = 4,
  N = 5,
  CHUNK = 6,
  OUTPUT = 7,
  COTANGENT = 8,
  DESTINATION = 9,
  WORDS = 10,
}

/**
 * COPY: a strided block onto a strided block. Behind the header: per axis, outermost first, (size, source stride,
 * destination stride) in elements. Axes are collapsed by the host where they can be; RANK may be 0 (one element).
 * A chunk runs CHUNK indices of the outermost axis.
 */
export const enum Copy {
  ELEMENT = 3, // bytes of an element: 1, 4 or 8
  RANK = 4,
  CHUNK = 5,
  SOURCE = 6,
  DESTINATION = 7,
  FIRST_AXIS = 8,
  AXIS_WORDS = 3,
}

/** FILL: SIZE elements of ELEMENT bytes with the bits in (LOW, HIGH). A chunk runs CHUNK elements. */
export const enum Fill {
  ELEMENT = 3,
  SIZE = 4,
  CHUNK = 5,
  LOW = 6,
  HIGH = 7,
  DESTINATION = 8,
  WORDS = 9,
}

/**
 * GATHER: y[o, j, i] = x[o, index[o, j, i], i] with x [OUTER, N, INNER], y [OUTER, COUNT, INNER], both contiguous, and the
 * i32 index at o·INDEX_OUTER + j·INDEX_STEP + i·INDEX_INNER (whole rows are picked where INDEX_INNER is 0).
 * An index outside 0 … N - 1 is a Fault.INDEX, and reads element 0. An item is one (o, j); a chunk runs ITEMS.
 */
export const enum Gather {
  ELEMENT = 3, // bytes: 1, 4 or 8
  OUTER = 4,
  N = 5,
  INNER = 6,
  COUNT = 7,
  INDEX_OUTER = 8,
  INDEX_STEP = 9,
  INDEX_INNER = 10,
  ITEMS = 11,
  SOURCE = 12,
  INDEX = 13,
  DESTINATION = 14,
  WORDS = 15,
}
/**
 * SCATTER_ADD: x[o, index[o, j, i], i] += y[o, j, i], the transpose of GATHER, on REAL or I32. DESTINATION [OUTER, N, INNER]
 * has been filled before. Equal indices add in rising j; an index outside 0 … N - 1 is a Fault.INDEX and adds nothing.
 * A chunk runs CHUNK of the OUTER · INNER columns (o, i).
 */
export const enum ScatterAdd {
  TYPE = 3,
  OUTER = 4,
  N = 5,
  INNER = 6,
  COUNT = 7,
  INDEX_OUTER = 8,
  INDEX_STEP = 9,
  INDEX_INNER = 10,
  CHUNK = 11,
  SOURCE = 12,
  INDEX = 13,
  DESTINATION = 14,
  WORDS = 15,
}

/**
 * RANDOM: Philox4x32-10 (Salmon et al., SC 2011). GENERATOR points at four u32: seed, stream, position, 0.
 * Key (seed, stream), counter (block, 0, position + DRAW, 0): block b gives words 4b … 4b + 3.
 *   f32: element e uses word e: u = (w >>> 8) · 2^-24.   f64: words 2e, 2e + 1: u = ((w0 >>> 5) · 2^26 + (w1 >>> 6)) · 2^-53.
 * LOW and HIGH are rounded to real first (but for INTEGER).
 *   UNIFORM   LOW + u · (HIGH - LOW)
 *   NORMAL    LOW is the mean, HIGH the standard deviation: Box-Muller on elements (2p, 2p + 1): r = √(-2 log(1 - u₂ₚ)),
 *             LOW + HIGH · r·cos(2π u₂ₚ₊₁) and LOW + HIGH · r·sin(2π u₂ₚ₊₁)
 *   BERNOULLI real 1 where u < HIGH, else 0
 *   INTEGER   i32 LOW + ((w · (HIGH - LOW)) >>> 32) with word w of element e, in both builds
 *   PERMUTATION i32 0 … SIZE - 1 shuffled (Fisher-Yates from the end: i = SIZE - 1 … 1 swaps with (w_i · (i + 1)) >>> 32); one chunk
 * A chunk runs CHUNK elements, a multiple of 4.
 */
export const enum Random {
  KIND = 3,
  SIZE = 4,
  CHUNK = 5,
  DRAW = 6,
  LOW = 7, // f64, two words
  HIGH = 9, // f64, two words
  GENERATOR = 11,
  DESTINATION = 12,
  WORDS = 13,
}
export const enum RandomKind {
  UNIFORM = 0,
  NORMAL = 1,
  BERNOULLI = 2,
  INTEGER = 3,
  PERMUTATION = 4,
}

/**
 * GEMM: C[b] = A[b]·B[b] + BETA·C[b] with A [M, K], B [K, N] and C [M, N]. All three have any strides, so that a transpose
 * is never materialised; of A and B a batch stride may be 0. C must not overlap A or B.
 * The order of each element's sum is a law: k is cut into s = ⌈K / GEMM_KC⌉ blocks of ⌈K / s⌉ (the last may be shorter), a
 * block's products add in rising k from 0, and the block sums add in rising order (to C where BETA is 1, else to nothing; K = 0
 * gives zeros).
 * Then ADDENDS are added to a block of C, one after the other, and RELU is applied, while it is in L1 (BATCH is 1, and C's rows or
 * columns are contiguous): a bias, what a block of layers is passed by, an activation.
 * An item is a CHUNK_M × CHUNK_N block of C; items count along N, then along M, then over batches. A chunk runs ITEMS.
 * PANELS says where a chunk finds B's columns, GEMM_NR at a time (half as many in f64): see `Panels`.
 * `planGemm` (src/machine/gemm.ts) chooses all that, and which operand is called A: (A·B)ᵀ = Bᵀ·Aᵀ has the same bits.
 */
export const enum Gemm {
  BATCH = 3,
  M = 4,
  N = 5,
  K = 6,
  BETA = 7, // 0 or 1
  CHUNK_M = 8, // 1 … GEMM_MC
  CHUNK_N = 9, // from 1; a multiple of GEMM_NR wastes no lanes
  ITEMS = 10,
  A = 11,
  A_BATCH = 12,
  A_ROW = 13,
  A_COLUMN = 14,
  B = 15,
  B_BATCH = 16,
  B_ROW = 17,
  B_COLUMN = 18,
  C = 19,
  C_BATCH = 20,
  C_ROW = 21,
  C_COLUMN = 22,
  PANELS = 23,
  RELU = 24, // 1: max(0, x) of every result
  ADDENDS = 25, // 0, 1 or 2
  FIRST_ADDEND = 26,
  ADDEND_WORDS = 3, // pointer, stride along M, stride along N: along what is contiguous in C 1 or 0
  WORDS = 32,
}
export const enum Panels {
  OWN = 0, // it packs them into its scratch
  IN_PLACE = 1, // where they lie: B_COLUMN is 1
  PACKED = 2, // a PACK record has written them to B; BATCH is 1, CHUNK_N a whole number of panels
}
/** k per block of a sum at most. Part of the law: changing it changes bits. */
export const GEMM_KC = 512;
/** Rows of C that a chunk may have: their panels of A are what scratch holds. */
export const GEMM_MC = 132;
/** A tile of C in registers: so many rows of two vectors, which are GEMM_NR columns in f32 and half as many in f64. */
export const GEMM_MR = 4;
export const GEMM_NR = 8;
/** Bytes of a row of a panel of B: two vectors. */
export const PANEL_BYTES = 32;

/**
 * PACK: a matrix B [K, N] with any strides, written to DESTINATION as the panels that GEMM's micro-kernel reads in order, so that
 * chunks with different rows of A need not each do it:
 *
 *   for each of the s blocks of k that GEMM's law has, for each panel of columns: ⌈K / s⌉ rows of 32 bytes
 *
 * (the last block's may be fewer), each number of rows rounded up to a vector's lanes. An item is a panel; a chunk runs ITEMS.
 */
export const enum Pack {
  K = 3,
  N = 4,
  ITEMS = 5,
  SOURCE = 6,
  ROW = 7,
  COLUMN = 8,
  DESTINATION = 9,
  WORDS = 10,
}

/**
 * SGD, elementwise over SIZE, in place, as torch.optim.SGD: g += WEIGHT_DECAY·p; with MOMENTUM ≠ 0 the buffer becomes g on the first
 * step, else MOMENTUM·buffer + (1 - DAMPENING)·g, and g becomes it (NESTEROV: g + MOMENTUM·buffer); p -= lr·g.
 * LR points at one real, STEP at one i32 that counts steps from 1. Hyperparameters are f64, two words each.
 */
export const enum Sgd {
  SIZE = 3,
  CHUNK = 4,
  LR = 5,
  STEP = 6,
  MOMENTUM = 7,
  DAMPENING = 9,
  WEIGHT_DECAY = 11,
  NESTEROV = 13,
  MAXIMIZE = 14,
  GRADIENT = 15,
  PARAMETER = 16, // read
  BUFFER = 17, // read; 0 where MOMENTUM is 0
  NEW_PARAMETER = 18, // written; may be PARAMETER itself
  NEW_BUFFER = 19,
  WORDS = 20,
}
/**
 * ADAM, elementwise over SIZE, as torch.optim.Adam (Kingma & Ba 2015) and, where DECOUPLED, AdamW (Loshchilov & Hutter 2019):
 * m = β₁m + (1 - β₁)g, v = β₂v + (1 - β₂)g·g, p -= (lr/(1 - β₁ᵗ) · m) / (√v · (1/√(1 - β₂ᵗ)) + ε), where first g += WEIGHT_DECAY·p,
 * or, DECOUPLED, p *= 1 - lr·WEIGHT_DECAY. Scalars, βᵗ by squaring among them, are worked out in f64 and rounded to real once.
 */
export const enum Adam {
  SIZE = 3,
  CHUNK = 4,
  LR = 5,
  STEP = 6,
  BETA1 = 7, // f64s, two words each
  BETA2 = 9,
  EPS = 11,
  WEIGHT_DECAY = 13,
  DECOUPLED = 15,
  MAXIMIZE = 16,
  GRADIENT = 17,
  PARAMETER = 18,
  M = 19,
  V = 20,
  NEW_PARAMETER = 21,
  NEW_M = 22,
  NEW_V = 23,
  WORDS = 24,
}

/** CHECK: sets Control.FLAG if any of SIZE reals, or with SQUARES any square of one, is not finite. A chunk runs CHUNK elements. */
export const enum Check {
  SIZE = 3,
  CHUNK = 4,
  SQUARES = 5,
  SOURCE = 6,
  WORDS = 7,
}
/**
 * What both convolutions share. x is [BATCH, GROUPS · CHANNELS, HEIGHT, WIDTH], contiguous; position (row, column) of ROWS × COLUMNS
 * sees through tap (i, j) of KERNEL_Y × KERNEL_X
 *
 *   x[row · STRIDE_Y + i · DILATION_Y - PAD_Y, column · STRIDE_X + j · DILATION_X - PAD_X], 0 outside x
 *
 * where strides are 1 at least, dilations and pads may be negative. k counts (channel, i, j), the last fastest. That is x̂ [k, position];
 * SEEN, PLANE and PITCH say where kernels find it, see `Seen`.
 */
export const enum Window {
  BATCH = 3,
  GROUPS = 4,
  CHANNELS = 5, // of a group, in x
  OUTPUTS = 6, // of a group, on the other side
  HEIGHT = 7,
  WIDTH = 8,
  KERNEL_Y = 9,
  KERNEL_X = 10,
  ROWS = 11,
  COLUMNS = 12,
  STRIDE_Y = 13,
  STRIDE_X = 14,
  DILATION_Y = 15,
  DILATION_X = 16,
  PAD_Y = 17,
  PAD_X = 18,
  X = 19,
  SEEN = 20,
  PLANE = 21, // bytes
  PITCH = 22, // reals
}
/** Where x̂ is, for up to DOWN × ACROSS positions. */
export const enum Seen {
  /** In x itself, where STRIDE_X is 1 and no tap sees what is outside x. PITCH is WIDTH. */
  IN_PLACE = 0,
  /** Rows of x, PITCH apart, a plane a channel: for STRIDE_X > 1 a plane for columns 0, STRIDE_X, 2 · STRIDE_X …, one for 1, 1 + STRIDE_X …, and so on. */
  BAND = 1,
  /** A plane a tap, whose rows are as long as those of positions and filled up to whole vectors with zeros. */
  LINES = 2,
}
/**
 * CONVOLUTION: y[n, g · OUTPUTS + o, q] = Σ_k w[g · OUTPUTS + o, k] · x̂[n, g, k, q], of each group g and position q.
 * The order of the sum is GEMM's law. Then BIAS, one number an output, is added (unless it is 0), and RELU is applied.
 * Where SKIPS is 1, and k is no more than GEMM_KC, rows of taps that see only what is above or below x are left out.
 * PANELS are w's, as PACK writes them of the matrix [k, GROUPS · OUTPUTS]. y has any strides.
 * An item is a block of DOWN × ACROSS positions of one group of an image; a chunk runs ITEMS.
 */
export const enum Convolution {
  DOWN = 23,
  ACROSS = 24, // a whole number of vectors, where it is less than COLUMNS
  ITEMS = 25,
  PANELS = 26,
  Y = 27,
  Y_IMAGE = 28,
  Y_CHANNEL = 29,
  Y_ROW = 30,
  Y_COLUMN = 31,
  BIAS = 32,
  RELU = 33,
  SKIPS = 34,
  WORDS = 35,
}
/** What a block sees, GEMM_KC taps of it at a time, fits into so much of scratch, less 128; and so many vectors of positions into a table. */
export const CONVOLUTION_BYTES = 524288;
export const CONVOLUTION_VECTORS = 2048;
/**
 * CONVOLUTION_WEIGHT: w[g · OUTPUTS + o, k] = Σ_n Σ_q y[n, g · OUTPUTS + o, q] · x̂[n, g, k, q], for the cotangent y of a CONVOLUTION,
 * contiguous. The order of the sum is a law: the rows of positions of all images are cut into PARTS of PART rows. In a part each row
 * begins at lane 0, position i goes to lane i mod 4 (f64: mod 2), each lane adds in rising order from 0, also a 0 where a row does not fill
 * the last lanes, and the lanes join as (l0+l2)+(l1+l3). DESTINATION is [PARTS, GROUPS · OUTPUTS, k].
 * An item is a part of a group, and of that a block of TAPS for a block of so many outputs (at most WEIGHT_TAPS and WEIGHT_OUTPUTS); they
 * count along taps, then along outputs, groups and parts. It is done in pieces of DOWN rows of ACROSS positions, WEIGHT_POSITIONS vectors of
 * them at most, where what the taps see from one fits into WEIGHT_X_BYTES; IN_PLACE and BAND have rows of whole vectors. A chunk runs ITEMS.
 */
export const enum ConvolutionWeight {
  DOWN = 23, // 1 where ACROSS is less than COLUMNS
  ACROSS = 24, // a whole number of vectors, where it is less than COLUMNS
  ITEMS = 25,
  PARTS = 26,
  PART = 27,
  TAPS = 28,
  BLOCK = 29,
  Y = 30,
  DESTINATION = 31,
  WORDS = 32,
}
export const WEIGHT_TAPS = 160;
export const WEIGHT_OUTPUTS = 32;
export const WEIGHT_POSITIONS = 128;
export const WEIGHT_X_BYTES = 360448;

/**
 * CONVOLUTION_TRANSPOSE: the same sums as CONVOLUTION's, for windows that would see mostly what is outside x: with strides of 1, and every
 * tap sees all of x from somewhere. Each tap (i, j) by itself adds to what sees x through it,
 *
 *   y[n, g · OUTPUTS + o, row + PAD_Y - i · DILATION_Y, column + PAD_X - j · DILATION_X] += Σ_c w[g · OUTPUTS + o, c, i, j] · x[n, g, c, row, column]
 *
 * The order of the sums is a law: y begins with BIAS, or 0; taps follow each other, the last axis fastest; c rises from 0. There are no more
 * than GEMM_KC of (c, i, j), OUTPUTS is a multiple of GEMM_MR and HEIGHT · WIDTH, WIDTH as well, of a vector's lanes. PANELS are w's, as PACK
 * writes them of the matrix [(i, j, c), GROUPS · OUTPUTS]. y is contiguous. An item is GEMM_MR outputs of an image; a chunk runs ITEMS.
 */
export const enum ConvolutionTranspose {
  ITEMS = 23,
  PANELS = 24,
  Y = 25,
  BIAS = 26,
  WORDS = 27,
}

/**
 * ARGSORT: for each row of a contiguous [ROWS, N] the i32 indices that put it in rising order (DESCENDING: falling), equal elements
 * in the order in which they stand, NaN above all. SPARE is as large as DESTINATION. A chunk runs CHUNK rows.
 */
export const enum Argsort {
  TYPE = 3, // REAL, I32, U8 or BOOL
  ROWS = 4,
  N = 5,
  CHUNK = 6,
  DESCENDING = 7,
  SOURCE = 8,
  DESTINATION = 9,
  SPARE = 10,
  WORDS = 11,
}

/**
 * MAX_POOL, AVERAGE_POOL: of each of PLANES planes [H, W], contiguous, the maximum or the mean of each window, [OH, OW]. Behind the
 * header a table of windows, for rows and then for columns: (start, end, count) of each, where elements start, start + STEP … below
 * end are inside, and a mean divides by the product of the counts. MAX_POOL writes to INDICES where in the plane each maximum stands,
 * i32: the first of equal ones; a NaN wins, the last one. A mean's sum goes along rows of the window, from 0.
 * AVERAGE_POOL_BACKWARD: from the cotangents of the means, SOURCE [PLANES, OH, OW], those of the elements, which add in the order of
 * the windows. MAX_POOL_BACKWARD: likewise those of the maxima, each to where INDICES says. A chunk runs CHUNK planes.
 */
export const enum Pool {
  PLANES = 3,
  H = 4,
  W = 5,
  OH = 6,
  OW = 7,
  STEP_Y = 8,
  STEP_X = 9,
  CHUNK = 10,
  HALVES = 11, // 1: window i is elements 2i and 2i + 1, both ways
  SOURCE = 12,
  DESTINATION = 13,
  INDICES = 14,
  FIRST_WINDOW = 15,
  WINDOW_WORDS = 3,
}
/**
 * SOLVE: x [N, M] with a·x = b, for each of BATCH contiguous matrices a [N, N] and b [N, M], by Gaussian elimination with partial
 * pivoting (of equally large pivots the first). The order is a law: for k = 0 … N - 1 every row i > k loses a[i, k]/a[k, k] times row k;
 * then, for k = N - 1 … 0, row k of x is divided by the pivot and every row i < k loses a[i, k] times it. FACTORS is as large as A.
 * Where no pivot is left that is finite and not 0, it is a Fault.SINGULAR. A chunk runs CHUNK matrices.
 */
export const enum Solve {
  BATCH = 3,
  N = 4,
  M = 5,
  CHUNK = 6,
  A = 7,
  B = 8,
  FACTORS = 9,
  DESTINATION = 10,
  WORDS = 11,
}
/**
 * CHOLESKY: the lower triangular l [N, N] with l·lᵀ = a, for each of BATCH contiguous matrices, of which the lower triangle is read.
 * l[i, j] is a[i, j] less the products l[i, k]·l[j, k], k rising from 0, and divided by l[j, j] (i = j: its root). Where
 * that is no root of a finite number above 0, it is a Fault.NOT_POSITIVE. A chunk runs CHUNK matrices.
 */
export const enum Cholesky {
  BATCH = 3,
  N = 4,
  CHUNK = 5,
  SOURCE = 6,
  DESTINATION = 7,
  WORDS = 8,
}
/**
 * NORMALIZE: a contiguous x [A, G, B] with mean 0 and variance 1 in each of G groups, whose n = A·B elements are those of all a and b:
 *
 *   m = S(x) / n, e = S(x - m) / n, VARIANCE[g] = max(0, S((x - m)²) / n - e²), MEAN[g] = m + e,
 *   y = ((x - m) - e) · r with r = 1 / √(VARIANCE[g] + EPS)
 *
 * so that what m was rounded by comes off again, however far the mean is from 0. RMS: m and e are 0, and there is no MEAN.
 * The order of a sum S over a group is a law of A and B alone.
 *   B > 1: for each a the elements along B, cut into blocks of REDUCE_BLOCK, each added as in a block of REDUCE; the blocks' sums, in the
 *          order in which they lie, are added as a REDUCE of so many elements would.
 *   B = 1: a is cut into blocks of NORMALIZE_ROWS; inside a block the i-th goes to lane i mod 4, each lane adds in rising order
 *          from 0, and the lanes join as (l0+l2) + (l1+l3); the blocks' sums add in rising order from 0.
 * A chunk runs CHUNK groups. DESTINATION may be SOURCE.
 */
export const enum Normalize {
  RMS = 3, // 0 or 1
  A = 4,
  G = 5,
  B = 6,
  CHUNK = 7,
  EPS = 8, // f64, two words
  SOURCE = 10,
  DESTINATION = 11,
  VARIANCE = 12,
  MEAN = 13, // 0 where RMS is 1
  WORDS = 14,
}
/**
 * From y and VARIANCE (what NORMALIZE wrote) and the cotangent g: r · ((g - S(g) / n) - y · S(g·y) / n), sums as above; RMS: without S(g).
 * DESTINATION may be COTANGENT or OUTPUT.
 */
export const enum NormalizeBackward {
  RMS = 3,
  A = 4,
  G = 5,
  B = 6,
  CHUNK = 7,
  EPS = 8,
  OUTPUT = 10,
  VARIANCE = 11,
  COTANGENT = 12,
  DESTINATION = 13,
  WORDS = 14,
}
export const NORMALIZE_ROWS = 64;

/**
 * UPSAMPLE: PLANES planes [H, W], contiguous, resized to [OH, OW]. Behind the header a tap for each row of the result and then for each of
 * its columns: (first, second, weight w of the second, an f64 rounded to real), of which second is first or first + 1. Along a row
 * t = (1 - w)·x[first] + w·x[second], then down the columns likewise of the t; where first and second are one, that one, unchanged.
 * UPSAMPLE_BACKWARD is the transpose: from cotangents SOURCE [PLANES, OH, OW] those of the elements. Row by row, first to row `first`, then
 * to row `second`: h = (1 - w)·g or w·g (1·g where there is one), of which, column by column, x[first] gets (1 - w)·h and x[second] w·h (or
 * one gets h), added in that order. A chunk runs CHUNK planes.
 */
export const enum Upsample {
  PLANES = 3,
  H = 4,
  W = 5,
  OH = 6,
  OW = 7,
  CHUNK = 8,
  SOURCE = 9,
  DESTINATION = 10,
  FIRST_TAP = 11,
  TAP_WORDS = 4,
}

/**
 * DYNAMIC_COPY: a COPY whose SOURCE (where TO is 1: DESTINATION) first moves by Σ sᵢ · stepᵢ over STARTS axes. sᵢ is the i32 number i at
 * START: counted from `length` where it is below 0, then held between 0 and `limit`. Nothing is done where source and destination are one.
 *
 *   [ as COPY: header | RANK × (size, source stride, destination stride) | TO, STARTS, START | STARTS × (length, limit, step) ]
 */
export const enum DynamicCopy {
  TO = 0, // words behind the axes
  STARTS = 1,
  START = 2,
  FIRST_START = 3,
  START_WORDS = 3,
}

/**
 * LOOP: the records from word BODY on, which end with an END, run LENGTH times, t = 0, 1 … or with REVERSE from the last one to 0, all by
 * one thread. Behind the header stand CARRIES × CARRY_WORDS, XS × PART_WORDS and YS × PART_WORDS:
 *
 *   carry: INIT, VALUE, INTO, FROM, KEPT or 0, BYTES     x, y: FROM, TO, BYTES
 *
 * All VALUEs start as what INITs hold. Before each turn VALUEs are copied to where the body reads them, INTO, and to KEPT + t · BYTES, and the
 * x's part t, at FROM + t · BYTES; behind it what the body has left at FROM goes to the VALUEs, and to a y's part t, at TO + t · BYTES.
 */
export const enum Loop {
  LENGTH = 3,
  REVERSE = 4,
  CARRIES = 5,
  XS = 6,
  YS = 7,
  BODY = 8,
  FIRST = 9,
  CARRY_WORDS = 6,
  PART_WORDS = 3,
}

/**
 * ATTENTION: y = softmax(SCALE · q·kᵀ + mask)·v over q [T, E], k [S, E], v [S, EV], mask [T, S] (added; 0: none), y [T, EV], for each of
 * OUTER · HEADS. Where CAUSAL is 1, row t sees keys 0 … t only. Each operand is five words: pointer, and strides (of any kind) along
 * OUTER, HEADS, rows and columns:
 *
 *   ┌─────────┬───────┬──────┬─────┬────────┐
 *   │ pointer │ outer │ head │ row │ column │
 *   └─────────┴───────┴──────┴─────┴────────┘
 *
 * The order is a law (Dao et al. 2022, algorithm 1). Scores are sums over e in rising order, times SCALE, plus the mask. Keys are cut into
 * blocks of KEYS; for each block of a row, with m the largest score so far (0 while all are -∞) and α = exp(m of before - m):
 * p = exp(score - m), l = l·α + Σ p, o = o·α + Σ p·v, the sums in rising order from 0. In the end y = o · (1 / l) and LSE [OUTER, HEADS, T],
 * contiguous, is m + log l; a row that sees nothing has y = 0 and LSE = 0.
 * An item is ROWS rows; items count along rows, then heads. A chunk runs ITEMS. ROWS is no part of the law.
 */
export const enum Attention {
  OUTER = 3,
  HEADS = 4,
  T = 5,
  S = 6,
  E = 7,
  EV = 8,
  CAUSAL = 9,
  SCALE = 10, // f64, two words
  ROWS = 12, // a multiple of ATTENTION_BLOCK
  KEYS = 13, // likewise
  ITEMS = 14,
  LSE = 15,
  Q = 16,
  K = 21,
  V = 26,
  MASK = 31,
  Y = 36,
  WORDS = 41,
}
/**
 * From what ATTENTION took and wrote and the cotangent g [T, EV] of y: p = exp(score - LSE), δ = Σ g·y, s = (p · (g·vᵀ - δ)) · SCALE, and
 * DQ = s·k, DK = sᵀ·q, DV = pᵀ·g. Rows are cut into blocks of ROWS, keys into blocks of KEYS, sums go in rising order from 0 within a block
 * (δ's over all EV), and those of blocks add in rising order; blocks that CAUSAL hides are left out.
 * PART says what an item is: all of a head, or KEYS keys of one (DK and DV), or ROWS rows of one (DQ); the pointers of what it does not
 * write are 0. Items count along those, then heads. A chunk runs ITEMS.
 */
export const enum AttentionBackward {
  G = 41, // up to here as Attention
  DQ = 46,
  DK = 51,
  DV = 56,
  PART = 61,
  WORDS = 62,
}
export const enum AttentionPart {
  HEAD = 0,
  KEYS = 1,
  ROWS = 2,
}
/** Words of an operand, and what ROWS and KEYS are multiples of: whole panels in both builds. */
export const ATTENTION_OPERAND = 5;
export const ATTENTION_BLOCK = 8;
/** What a block may take of scratch, as src/ops/attention.ts reckons; and E and EV at most. */
export const ATTENTION_BYTES = 524288;
export const ATTENTION_WIDTH = 512;

/**
 * RECURRENT: a recurrent layer over all of a sequence. From step to step each row n of the batch has a state h [H]; step t makes the next one of it
 * and of what PROJECTED [T, N, G·H], contiguous, holds for t and n: p, G parts of H. With s = h·Wᵀ, in GEMM's law, likewise in parts,
 *
 *   TANH, RELU (G = 1)   h' = f(s + p)
 *   LSTM (G = 4)         i, f, o = σ(s + p), g = tanh(s + p), c' = f·c + i·g, h' = o·tanh(c');   parts are i, f, g, o
 *   GRU (G = 3)          r, z = σ(s + p), q = s + bias, n = tanh(r·q + p), h' = n + z·(h - n);   parts are r, z, n
 *
 * Steps run from 0 to T - 1, or with REVERSE from T - 1 to 0. Where t is not below the row's entry in LENGTHS (i32 [N]; 0: all are T), h and c
 * stay, and what is saved for the step is 0. Results are one slab for each step and one for the start:
 *
 *   STATES [T + 1, N, H]: INITIAL (0: zeros, and LSTM's EXTRA as well), h' of step 0, …, of T - 1; with REVERSE h' of step 0, …, of T - 1, INITIAL
 *   LSTM: GATES [T, N, 4·H], MORE: c in the order of STATES, from EXTRA [N, H].  GRU: GATES [T, N, 3·H], MORE [T, N, H] is q, EXTRA [H] the bias.
 *
 * PANELS are Wᵀ's, as PACK writes them. At PRODUCT stands a GEMM record, of which the kernel takes sizes and strides. A chunk runs
 * CHUNK rows through all steps.
 */
export const enum Recurrent {
  KIND = 3,
  T = 4,
  N = 5,
  H = 6,
  CHUNK = 7, // whole tiles of GEMM waste nothing
  REVERSE = 8,
  LENGTHS = 9,
  PANELS = 10,
  STATES = 11,
  GATES = 12,
  MORE = 13,
  PROJECTED = 14,
  INITIAL = 15,
  EXTRA = 16,
  PRODUCT = 17,
}
/**
 * RECURRENT_BACKWARD: from what RECURRENT wrote, and cotangents of STATES and (LSTM; or 0) of MORE, those of PROJECTED, to GATES_COTANGENT, of
 * INITIAL and of LSTM's EXTRA; for GRU also HIDDEN [T, N, 3·H], those of what is added up from h: the same, but for q in place of n. Fields
 * up to MORE are as in RECURRENT, with panels of W. Steps run the other way. A step's cotangent of h is that of its slab, plus what
 * the step behind it gives, D·W (GEMM's law), to which is added before (BETA is 1) what goes past the product: GRU's z·h, and the whole
 * where a row stays as it is. Where nobody asks for the cotangent of INITIAL (STARTS is 0) the last of these products is left out.
 */
export const enum RecurrentBackward {
  STATES_COTANGENT = 14,
  CELLS_COTANGENT = 15,
  GATES_COTANGENT = 16,
  HIDDEN = 17,
  INITIAL_COTANGENT = 18,
  EXTRA_COTANGENT = 19,
  STARTS = 20,
  PRODUCT = 21,
}
export const enum Cell {
  TANH = 0,
  RELU = 1,
  LSTM = 2,
  GRU = 3,
}

/** COMMIT: ends the run here, with Status.NON_FINITE or Status.FAULT, if one was seen. One chunk. */
export const enum Commit {
  WORDS = 3,
}

/**
 * GROUP: records that need nothing of each other, run as one, so that no thread waits between them. They stand one behind the
 * other; chunks count through all of them.
 *
 *   [ GROUP, words, chunks of all | record | record | … ]
 */
export const enum Group {
  FIRST = 3,
}
/**
 * CHAIN: records that all have as many chunks. Whoever claims a chunk runs that chunk of the first record, then of the second,
 * and so on: each needs of the others only what the chunk of its number made.
 *
 *   [ CHAIN, words, chunks of each | record | record | … ]
 */
export const enum Chain {
  FIRST = 3,
}
