// Joins QuickJS to the host: frames in, frames out, and nothing else.
//
// The host calls inbox(), writes a batch of frames there, and calls deliver().
// What the guest posts is collected and handed over by host.send, many frames
// at a time. A frame is [length: u32 LE][kind: u8][payload].
//
//   to the guest    'm' message text  'c' control header \n bytes  't' tick  's' seed and limits
//   from the guest  'm' message text  'c' control header \n bytes
//
// Everything here runs inside the sandbox: a mistake in it harms one guest only.
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "quickjs.h"

#define EXPORT(name) __attribute__((export_name(name)))
#define IMPORT(name) __attribute__((import_module("host"), import_name(name)))

IMPORT("send") extern int32_t host_send(const uint8_t *bytes, uint32_t length);
IMPORT("log") extern void host_log(uint32_t level, const char *text, uint32_t length);
__attribute__((import_module("env"), import_name("__rquickjs_host_now_us"))) extern double
__rquickjs_host_now_us(void);

enum {
    FLUSH_AT = 256 * 1024,
    KEEP_BUFFER = 256 * 1024,
    PATIENCE = 3,
    FRAME_LIMIT = 1024 * 1024 + 8 * 1024,
    BYTES_LIMIT = 8 * 1024 * 1024,
    LOG_LIMIT = 4096,
    STATUS_OUT_OF_MEMORY = 1,
    STATUS_BAD_FRAME = 2,
    STATUS_INTERRUPTIONS_SHIFT = 8,
};

// The host reads `serial` (which frame is worked on) and sets `soft_stop`.
static volatile struct {
    uint32_t soft_stop;
    uint32_t serial;
} control_block;

static JSRuntime *rt;
static JSContext *ctx;
static JSClassID message_class;
static JSValue host_object, internal_object;
static JSValue on_message, on_control, on_tick, on_rejection, on_idle;
static JSValue body_getter, body_setter;
static JSAtom atom_id, atom_type, atom_from, atom_to, atom_body;
static int status;
static bool rejections_pending;

/* ---- buffers ---------------------------------------------------------- */

typedef struct {
    uint8_t *bytes;
    uint32_t length, capacity;
} Buffer;

static Buffer in_buffer, out_buffer;

static bool reserve(Buffer *buffer, uint32_t more) {
    uint32_t need = buffer->length + more;
    if (need < more) return false;
    if (need <= buffer->capacity) return true;
    uint32_t capacity = buffer->capacity ? buffer->capacity : 4096;
    while (capacity < need) capacity *= 2;
    uint8_t *bytes = realloc(buffer->bytes, capacity);
    if (!bytes) return false;
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return true;
}

static void shrink(Buffer *buffer) {
    buffer->length = 0;
    if (buffer->capacity <= KEEP_BUFFER) return;
    free(buffer->bytes);
    buffer->bytes = NULL;
    buffer->capacity = 0;
}

static void append(Buffer *buffer, const void *bytes, uint32_t length) {
    memcpy(buffer->bytes + buffer->length, bytes, length);
    buffer->length += length;
}

static bool flush(void) {
    if (out_buffer.length == 0) return true;
    int32_t refused = host_send(out_buffer.bytes, out_buffer.length);
    shrink(&out_buffer);
    return refused == 0;
}

// Begins a frame of `length` payload bytes; throws and returns false if it cannot.
static bool begin_frame(uint8_t kind, uint32_t length) {
    if (out_buffer.length > FLUSH_AT && !flush()) {
        JS_ThrowRangeError(ctx, "too much sent in one turn");
        return false;
    }
    if (!reserve(&out_buffer, length + 5)) {
        JS_ThrowOutOfMemory(ctx);
        return false;
    }
    uint8_t head[5] = { length, length >> 8, length >> 16, length >> 24, kind };
    append(&out_buffer, head, 5);
    return true;
}

/* ---- randomness: ChaCha20 with fast key erasure, seeded by the host ----- */

static uint32_t rng_key[8];
static uint8_t rng_block[64];
static uint32_t rng_left;

static inline uint32_t rotl(uint32_t v, int n) { return (v << n) | (v >> (32 - n)); }
#define QUARTER(a, b, c, d)                 \
    x[a] += x[b]; x[d] = rotl(x[d] ^ x[a], 16); \
    x[c] += x[d]; x[b] = rotl(x[b] ^ x[c], 12); \
    x[a] += x[b]; x[d] = rotl(x[d] ^ x[a], 8);  \
    x[c] += x[d]; x[b] = rotl(x[b] ^ x[c], 7);

static void rng_refill(void) {
    uint32_t s[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 }, x[16];
    memcpy(s + 4, rng_key, 32);
    memcpy(x, s, 64);
    for (int round = 0; round < 10; round++) {
        QUARTER(0, 4, 8, 12) QUARTER(1, 5, 9, 13) QUARTER(2, 6, 10, 14) QUARTER(3, 7, 11, 15)
        QUARTER(0, 5, 10, 15) QUARTER(1, 6, 11, 12) QUARTER(2, 7, 8, 13) QUARTER(3, 4, 9, 14)
    }
    for (int i = 0; i < 16; i++) x[i] += s[i];
    memcpy(rng_key, x, 32);
    memcpy(rng_block, x + 8, 32);
    rng_left = 32;
}

static void rng_fill(uint8_t *out, size_t length) {
    while (length > 0) {
        if (rng_left == 0) rng_refill();
        uint32_t part = length < rng_left ? (uint32_t)length : rng_left;
        uint8_t *from = rng_block + 32 - rng_left;
        memcpy(out, from, part);
        memset(from, 0, part);
        rng_left -= part;
        out += part;
        length -= part;
    }
}

/* ---- errors ------------------------------------------------------------ */

static void log_text(uint32_t level, const char *text, size_t length) {
    host_log(level, text, length > LOG_LIMIT ? LOG_LIMIT : (uint32_t)length);
}

// Logs an exception with its stack, and notes when memory ran out.
static void report(JSValueConst error) {
    if (control_block.soft_stop) return;
    size_t length;
    const char *text = JS_ToCStringLen(ctx, &length, error);
    if (!text) {
        JS_FreeValue(ctx, JS_GetException(ctx));
        status |= STATUS_OUT_OF_MEMORY;
        return;
    }
    if (strstr(text, "out of memory") && JS_IsError(error)) status |= STATUS_OUT_OF_MEMORY;
    log_text(3, text, length);
    JS_FreeCString(ctx, text);
    if (!JS_IsError(error)) return;
    JSValue stack = JS_GetPropertyStr(ctx, error, "stack");
    if (JS_IsString(stack) && (text = JS_ToCStringLen(ctx, &length, stack))) {
        if (length > 0) log_text(0, text, length);
        JS_FreeCString(ctx, text);
    }
    JS_FreeValue(ctx, stack);
}

static void report_exception(void) {
    JSValue error = JS_GetException(ctx);
    report(error);
    JS_FreeValue(ctx, error);
}

static void call(JSValueConst function, int argc, JSValueConst *argv) {
    if (!JS_IsFunction(ctx, function)) return;
    JSValue result = JS_Call(ctx, function, JS_UNDEFINED, argc, argv);
    if (JS_IsException(result)) report_exception();
    JS_FreeValue(ctx, result);
}

/* ---- messages: the body stays text until somebody looks ---------------- */

typedef struct {
    uint32_t length;
    char text[];
} RawBody;

static void message_finalizer(JSRuntime *runtime, JSValueConst value) {
    RawBody *raw = JS_GetOpaque(value, message_class);
    if (raw) js_free_rt(runtime, raw);
}

static const JSClassDef message_class_def = { "Message", .finalizer = message_finalizer };

static JSValue get_body(JSContext *c, JSValueConst this_value, int argc, JSValueConst *argv) {
    RawBody *raw = JS_GetOpaque(this_value, message_class);
    if (!raw) return JS_UNDEFINED;
    JSValue body = JS_ParseJSON(c, raw->text, raw->length, "body");
    if (JS_IsException(body)) return body;
    JS_SetOpaque(this_value, NULL);
    js_free(c, raw);
    if (JS_DefinePropertyValue(c, this_value, atom_body, JS_DupValue(c, body), JS_PROP_C_W_E) < 0) {
        JS_FreeValue(c, body);
        return JS_EXCEPTION;
    }
    return body;
}

static JSValue set_body(JSContext *c, JSValueConst this_value, int argc, JSValueConst *argv) {
    RawBody *raw = JS_GetOpaque(this_value, message_class);
    if (raw) {
        JS_SetOpaque(this_value, NULL);
        js_free(c, raw);
    }
    if (!JS_IsObject(this_value)) return JS_UNDEFINED;
    JSValue value = JS_DupValue(c, argc > 0 ? argv[0] : JS_UNDEFINED);
    return JS_DefinePropertyValue(c, this_value, atom_body, value, JS_PROP_C_W_E) < 0 ? JS_EXCEPTION : JS_UNDEFINED;
}

// Addresses and types repeat; keep the last few as ready strings.
enum { CACHE = 64, CACHE_TEXT = 120 };
static struct {
    uint32_t length;
    char text[CACHE_TEXT];
    JSValue value;
} cache[CACHE];

static JSValue string_of(const char *text, uint32_t length) {
    if (length > CACHE_TEXT) return JS_NewStringLen(ctx, text, length);
    uint32_t hash = length;
    for (uint32_t i = 0; i < length; i++) hash = hash * 31 + (uint8_t)text[i];
    hash = (hash ^ (hash >> 15)) % CACHE;
    if (cache[hash].length == length && length > 0 && memcmp(cache[hash].text, text, length) == 0)
        return JS_DupValue(ctx, cache[hash].value);
    JSValue value = JS_NewStringLen(ctx, text, length);
    if (JS_IsException(value)) return value;
    if (cache[hash].length) JS_FreeValue(ctx, cache[hash].value);
    cache[hash].length = length;
    memcpy(cache[hash].text, text, length);
    if (length) cache[hash].value = JS_DupValue(ctx, value);
    return value;
}

static JSValue new_message(double id, const char *lines[4], uint32_t lengths[4], const char *body, uint32_t body_length) {
    JSValue message = JS_NewObjectClass(ctx, message_class);
    if (JS_IsException(message)) return message;
    RawBody *raw = js_malloc(ctx, sizeof(RawBody) + body_length + 1);
    if (!raw) goto failed;
    raw->length = body_length;
    memcpy(raw->text, body, body_length);
    raw->text[body_length] = 0;
    JS_SetOpaque(message, raw);
    JSValue type = string_of(lines[1], lengths[1]);
    JSValue from = string_of(lines[2], lengths[2]);
    JSValue to = string_of(lines[3], lengths[3]);
    if (JS_DefinePropertyValue(ctx, message, atom_id, JS_NewNumber(ctx, id), JS_PROP_C_W_E) < 0 ||
        JS_DefinePropertyValue(ctx, message, atom_type, type, JS_PROP_C_W_E) < 0 ||
        JS_DefinePropertyValue(ctx, message, atom_from, from, JS_PROP_C_W_E) < 0 ||
        JS_DefinePropertyValue(ctx, message, atom_to, to, JS_PROP_C_W_E) < 0 ||
        JS_DefinePropertyGetSet(ctx, message, atom_body, JS_DupValue(ctx, body_getter), JS_DupValue(ctx, body_setter),
                                JS_PROP_CONFIGURABLE | JS_PROP_ENUMERABLE) < 0)
        goto failed;
    return message;
failed:
    JS_FreeValue(ctx, message);
    return JS_EXCEPTION;
}

static void take_message(const char *text, uint32_t length) {
    const char *lines[4], *at = text, *end = text + length;
    uint32_t lengths[4];
    for (int i = 0; i < 4; i++) {
        const char *stop = memchr(at, '\n', end - at);
        if (!stop) { status |= STATUS_BAD_FRAME; return; }
        lines[i] = at;
        lengths[i] = stop - at;
        at = stop + 1;
    }
    double id = 0;
    for (uint32_t i = 0; i < lengths[0]; i++) id = id * 10 + (lines[0][i] - '0');
    JSValue message = new_message(id, lines, lengths, at, end - at);
    if (JS_IsException(message)) {
        report_exception();
        return;
    }
    call(on_message, 1, (JSValueConst *)&message);
    JS_FreeValue(ctx, message);
}

static void take_control(const char *text, uint32_t length) {
    const char *stop = memchr(text, '\n', length);
    if (!stop) { status |= STATUS_BAD_FRAME; return; }
    uint32_t header = stop - text;
    JSValue args[2] = { JS_NewStringLen(ctx, text, header), JS_UNDEFINED };
    if (length > header + 1) args[1] = JS_NewUint8ArrayCopy(ctx, (const uint8_t *)stop + 1, length - header - 1);
    if (JS_IsException(args[0]) || JS_IsException(args[1])) report_exception();
    else call(on_control, 2, (JSValueConst *)args);
    JS_FreeValue(ctx, args[0]);
    JS_FreeValue(ctx, args[1]);
}

static void take_seed(const uint8_t *bytes, uint32_t length) {
    if (length != 40) { status |= STATUS_BAD_FRAME; return; }
    memcpy(rng_key, bytes, 32);
    rng_left = 0;
    uint32_t limits[2];
    memcpy(limits, bytes + 32, 8);
    JS_SetMemoryLimit(rt, limits[0]);
    JS_SetMaxStackSize(rt, limits[1]);
}

/* ---- what the prelude may ask -------------------------------------------- */

#define HOST_FUNCTION(name) \
    static JSValue name(JSContext *c, JSValueConst this_value, int argc, JSValueConst *argv)

// post(id, type, from, to, message): a body that was never touched goes on as the text it is.
HOST_FUNCTION(js_post) {
    size_t lengths[5] = { 0 };
    const char *parts[5] = { 0 };
    JSValue json = JS_UNDEFINED, result = JS_EXCEPTION;
    for (int i = 0; i < 4; i++) {
        parts[i] = JS_ToCStringLen(c, &lengths[i], argv[i]);
        if (!parts[i]) goto done;
        if (memchr(parts[i], '\n', lengths[i])) {
            JS_ThrowTypeError(c, "a line break in an address");
            goto done;
        }
    }
    RawBody *raw = JS_IsObject(argv[4]) ? JS_GetOpaque(argv[4], message_class) : NULL;
    const char *body = "";
    size_t body_length = 0;
    if (raw) {
        body = raw->text;
        body_length = raw->length;
    } else {
        JSValue value = JS_GetProperty(c, argv[4], atom_body);
        if (JS_IsException(value)) goto done;
        json = JS_JSONStringify(c, value, JS_UNDEFINED, JS_UNDEFINED);
        JS_FreeValue(c, value);
        if (JS_IsException(json)) goto done;
        if (!JS_IsUndefined(json)) {
            body = parts[4] = JS_ToCStringLen(c, &body_length, json);
            if (!body) goto done;
        }
    }
    size_t total = lengths[0] + lengths[1] + lengths[2] + lengths[3] + 4 + body_length;
    if (total > FRAME_LIMIT) {
        JS_ThrowRangeError(c, "a message has at most 1 MiB");
        goto done;
    }
    if (!begin_frame('m', total)) goto done;
    for (int i = 0; i < 4; i++) {
        append(&out_buffer, parts[i], lengths[i]);
        append(&out_buffer, "\n", 1);
    }
    append(&out_buffer, body, body_length);
    result = JS_UNDEFINED;
done:
    for (int i = 0; i < 5; i++)
        if (parts[i]) JS_FreeCString(c, parts[i]);
    JS_FreeValue(c, json);
    return result;
}

// Bytes of an ArrayBuffer or a view of one, or NULL.
static uint8_t *bytes_of(JSContext *c, JSValueConst value, size_t *length) {
    if (JS_IsArrayBuffer(value)) return JS_GetArrayBuffer(c, length, value);
    return JS_GetUint8Array(c, length, value);
}

// control(header, bytes?)
HOST_FUNCTION(js_control) {
    size_t length, extra = 0;
    const char *header = JS_ToCStringLen(c, &length, argv[0]);
    if (!header) return JS_EXCEPTION;
    const uint8_t *bytes = NULL;
    JSValue result = JS_EXCEPTION;
    if (argc > 1 && !JS_IsUndefined(argv[1])) {
        bytes = bytes_of(c, argv[1], &extra);
        if (!bytes && extra > 0) goto done;
        if (!bytes) { JS_FreeValue(c, JS_GetException(c)); extra = 0; }
    }
    if (length > FRAME_LIMIT || extra > BYTES_LIMIT || memchr(header, '\n', length)) {
        JS_ThrowRangeError(c, "too large to hand to the host");
        goto done;
    }
    if (!begin_frame('c', length + 1 + extra)) goto done;
    append(&out_buffer, header, length);
    append(&out_buffer, "\n", 1);
    if (extra) append(&out_buffer, bytes, extra);
    result = JS_UNDEFINED;
done:
    JS_FreeCString(c, header);
    return result;
}

HOST_FUNCTION(js_log) {
    uint32_t level = 1;
    size_t length;
    JS_ToUint32(c, &level, argv[0]);
    const char *text = JS_ToCStringLen(c, &length, argv[1]);
    if (!text) return JS_EXCEPTION;
    log_text(level, text, length);
    JS_FreeCString(c, text);
    return JS_UNDEFINED;
}

HOST_FUNCTION(js_report) {
    report(argv[0]);
    return JS_UNDEFINED;
}

HOST_FUNCTION(js_now) { return JS_NewFloat64(c, __rquickjs_host_now_us() / 1000); }

HOST_FUNCTION(js_random) {
    uint8_t bytes[8];
    uint64_t bits;
    rng_fill(bytes, 8);
    memcpy(&bits, bytes, 8);
    return JS_NewFloat64(c, (double)(bits >> 11) / 9007199254740992.0);
}

HOST_FUNCTION(js_fill_random) {
    size_t length;
    uint8_t *bytes = bytes_of(c, argv[0], &length);
    if (!bytes) return JS_EXCEPTION;
    rng_fill(bytes, length);
    return JS_UNDEFINED;
}

HOST_FUNCTION(js_encode) {
    size_t length;
    const char *text = JS_ToCStringLen(c, &length, argv[0]);
    if (!text) return JS_EXCEPTION;
    JSValue bytes = JS_NewUint8ArrayCopy(c, (const uint8_t *)text, length);
    JS_FreeCString(c, text);
    return bytes;
}

HOST_FUNCTION(js_decode) {
    size_t length;
    uint8_t *bytes = bytes_of(c, argv[0], &length);
    if (!bytes) {
        JS_FreeValue(c, JS_GetException(c));
        return JS_NewString(c, "");
    }
    return JS_NewStringLen(c, (const char *)bytes, length);
}

HOST_FUNCTION(js_is_module) {
    size_t length;
    const char *text = JS_ToCStringLen(c, &length, argv[0]);
    if (!text) return JS_EXCEPTION;
    bool module = JS_DetectModule(text, length);
    JS_FreeCString(c, text);
    return JS_NewBool(c, module);
}

HOST_FUNCTION(js_run_script) {
    size_t length;
    const char *text = JS_ToCStringLen(c, &length, argv[0]);
    if (!text) return JS_EXCEPTION;
    JSValue result = JS_Eval(c, text, length, "guest.js", JS_EVAL_TYPE_GLOBAL);
    JS_FreeCString(c, text);
    return result;
}

// runModule(source) -> [promise, namespace]
HOST_FUNCTION(js_run_module) {
    size_t length;
    const char *text = JS_ToCStringLen(c, &length, argv[0]);
    if (!text) return JS_EXCEPTION;
    JSValue code = JS_Eval(c, text, length, "guest.mjs", JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
    JS_FreeCString(c, text);
    if (JS_IsException(code)) return code;
    JSModuleDef *module = JS_VALUE_GET_PTR(code);
    JSValue promise = JS_EvalFunction(c, code);
    if (JS_IsException(promise)) return promise;
    JSValue pair = JS_NewArray(c);
    JS_SetPropertyUint32(c, pair, 0, promise);
    JS_SetPropertyUint32(c, pair, 1, JS_GetModuleNamespace(c, module));
    return pair;
}

HOST_FUNCTION(js_set_handlers) {
    JSValue *slots[5] = { &on_message, &on_control, &on_tick, &on_rejection, &on_idle };
    for (int i = 0; i < 5 && i < argc; i++) {
        JS_FreeValue(c, *slots[i]);
        *slots[i] = JS_DupValue(c, argv[i]);
    }
    return JS_UNDEFINED;
}

static const JSCFunctionListEntry host_functions[] = {
    JS_CFUNC_DEF("post", 5, js_post),
    JS_CFUNC_DEF("control", 2, js_control),
    JS_CFUNC_DEF("log", 2, js_log),
    JS_CFUNC_DEF("report", 1, js_report),
    JS_CFUNC_DEF("now", 0, js_now),
    JS_CFUNC_DEF("random", 0, js_random),
    JS_CFUNC_DEF("fillRandom", 1, js_fill_random),
    JS_CFUNC_DEF("encode", 1, js_encode),
    JS_CFUNC_DEF("decode", 1, js_decode),
    JS_CFUNC_DEF("isModule", 1, js_is_module),
    JS_CFUNC_DEF("runScript", 1, js_run_script),
    JS_CFUNC_DEF("runModule", 1, js_run_module),
    JS_CFUNC_DEF("setHandlers", 5, js_set_handlers),
};

/* ---- the engine ------------------------------------------------------------ */

static int interrupted(JSRuntime *runtime, void *opaque) { return control_block.soft_stop != 0; }

static void rejection(JSContext *c, JSValueConst promise, JSValueConst reason, bool handled, void *opaque) {
    JSValueConst args[3] = { promise, reason, JS_NewBool(c, handled) };
    rejections_pending = true;
    call(on_rejection, 3, args);
}

static void run_jobs(void) {
    JSContext *job_context;
    while (!control_block.soft_stop && JS_IsJobPending(rt)) {
        if (JS_ExecutePendingJob(rt, &job_context) < 0) report_exception();
    }
    if (rejections_pending && !control_block.soft_stop) {
        rejections_pending = false;
        call(on_idle, 0, NULL);
    }
}

static bool start(void) {
    rt = JS_NewRuntime();
    if (!rt) return false;
    JS_SetMaxStackSize(rt, 512 * 1024);
    JS_SetCanBlock(rt, false);
    JS_SetInterruptHandler(rt, interrupted, NULL);
    ctx = JS_NewContext(rt);
    if (!ctx) return false;
    JS_SetHostPromiseRejectionTracker(rt, rejection, NULL);
    JS_NewClassID(rt, &message_class);
    JS_NewClass(rt, message_class, &message_class_def);
    JSValue plain = JS_NewObject(ctx);
    JS_SetClassProto(ctx, message_class, JS_GetPrototype(ctx, plain));
    JS_FreeValue(ctx, plain);
    atom_id = JS_NewAtom(ctx, "id");
    atom_type = JS_NewAtom(ctx, "type");
    atom_from = JS_NewAtom(ctx, "from");
    atom_to = JS_NewAtom(ctx, "to");
    atom_body = JS_NewAtom(ctx, "body");
    body_getter = JS_NewCFunction(ctx, get_body, "body", 0);
    body_setter = JS_NewCFunction(ctx, set_body, "body", 1);
    on_message = on_control = on_tick = on_rejection = on_idle = JS_UNDEFINED;
    host_object = JS_NewObject(ctx);
    internal_object = JS_NewObject(ctx);
    JS_SetPropertyFunctionList(ctx, host_object, host_functions, sizeof host_functions / sizeof *host_functions);
    return true;
}

/* ---- what the host calls ------------------------------------------------ */

EXPORT("control_block") const volatile void *get_control_block(void) { return &control_block; }

// Room for `length` bytes, or 0.
EXPORT("inbox") uint8_t *inbox(uint32_t length) {
    in_buffer.length = 0;
    return reserve(&in_buffer, length + 1) ? in_buffer.bytes : NULL;
}

// Evaluates one file of the prelude, "name\nfunction (host, internal) {…}"; used when the snapshot is made.
EXPORT("evaluate") int32_t evaluate(uint32_t length) {
    if (!rt && !start()) return -1;
    char *text = (char *)in_buffer.bytes;
    text[length] = 0;
    char *source = memchr(text, '\n', length);
    if (!source) return -1;
    *source++ = 0;
    JSValue function = JS_Eval(ctx, source, length - (source - text), text, JS_EVAL_TYPE_GLOBAL);
    status = 0;
    if (JS_IsException(function)) { report_exception(); return -1; }
    JSValueConst args[2] = { host_object, internal_object };
    JSValue result = JS_Call(ctx, function, JS_UNDEFINED, 2, args);
    if (JS_IsException(result)) { report_exception(); return -1; }
    JS_FreeValue(ctx, result);
    JS_FreeValue(ctx, function);
    run_jobs();
    shrink(&in_buffer);
    return status;
}

// Hands over a batch of frames; returns STATUS bits, and above them how many frames were interrupted.
// After too many of those it gives up: the host will stop this guest.
EXPORT("deliver") int32_t deliver(uint32_t length) {
    status = 0;
    JS_UpdateStackTop(rt);
    uint32_t at = 0, interruptions = 0;
    while (at + 5 <= length && interruptions < PATIENCE) {
        const uint8_t *head = in_buffer.bytes + at;
        uint32_t size = head[0] | head[1] << 8 | head[2] << 16 | (uint32_t)head[3] << 24;
        if (size > length - at - 5) { status |= STATUS_BAD_FRAME; break; }
        const char *payload = (const char *)head + 5;
        control_block.soft_stop = 0;
        control_block.serial++;
        switch (head[4]) {
        case 'm': take_message(payload, size); break;
        case 'c': take_control(payload, size); break;
        case 't': call(on_tick, 0, NULL); break;
        case 's': take_seed((const uint8_t *)payload, size); break;
        default: status |= STATUS_BAD_FRAME;
        }
        run_jobs();
        if (control_block.soft_stop) {
            interruptions++;
            JS_FreeValue(ctx, JS_GetException(ctx));
        }
        at += 5 + size;
    }
    control_block.soft_stop = 0;
    if (!flush()) log_text(2, "too much sent in one turn", 25);
    shrink(&in_buffer);
    return status | interruptions << STATUS_INTERRUPTIONS_SHIFT;
}
