/* Trusted keys and verdicts: host_trust_check, its cache, and who may change what it relies on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "host/trust.h"
#include "model_fixture.h"

static char root[] = "/tmp/wisp-trust-XXXXXX";
static base_buffer file; /* signed by the key "signer" */
static wisp_report report;

enum { NATIVE_SIZE = 16 }; /* the last bytes of the file stand for native code */

static const char *path(const char *name)
{
    static char out[2][300];
    static int turn;
    turn = !turn;
    snprintf(out[turn], sizeof out[turn], "%s/%s", root, name);
    return out[turn];
}

static wisp_status append(void *self, const void *data, size_t size, wisp_report *r)
{
    (void)r;
    base_put(self, data, size);
    return WISP_OK;
}

static wisp_status overwrite(void *self, uint64_t offset, const void *data, size_t size, wisp_report *r)
{
    (void)r;
    memcpy(((base_buffer *)self)->data + offset, data, size);
    return WISP_OK;
}

static int setup(void **state)
{
    (void)state;
    wisp_key key;
    if (!mkdtemp(root)) return 1;
    setenv("XDG_CONFIG_HOME", path("config"), 1);
    setenv("XDG_CACHE_HOME", path("cache"), 1);
    assert_int_equal(wisp_keygen(path("signer"), &key, &report), WISP_OK);
    char text[CAPSULE_KEY_FILE_MAX];
    size_t size;
    capsule_secret_key secret;
    assert_int_equal(os_read_private(path("signer.key"), true, text, sizeof text, &size, &report), WISP_OK);
    assert_int_equal(capsule_secret_read(&secret, (base_span){(uint8_t *)text, size}, &report), WISP_OK);
    base_buffer module = {0};
    static const uint8_t native[] = "\4noteNNNNNNNNNNNNNNNN";
    base_put(&module, "\0asm\1\0\0", 8);
    fixture_section(&module, 0, native, sizeof native - 1);
    const capsule_sign_plan plan = {.file = fixture_span(&module), .keys = &secret, .key_count = 1};
    const capsule_sink sink = {&file, append, overwrite};
    uint32_t kept;
    assert_int_equal(capsule_sign(&plan, &sink, &kept, &report), WISP_OK);
    base_buffer_fini(&module);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", root);
    base_buffer_fini(&file);
    return system(command);
}

static wisp_status check(const uint8_t *native, const os_file_info *identity)
{
    wisp_key signer = {0};
    report = (wisp_report){0};
    const host_trust_query query = {
        .file = fixture_span(&file), .copied = {{native, NATIVE_SIZE}, file.size - NATIVE_SIZE}, .identity = identity};
    wisp_status status = host_trust_check(&query, &signer, &report);
    if (status == WISP_OK) assert_string_equal(signer.name, "signer");
    return status;
}

static void trust_it(void)
{
    report = (wisp_report){0};
    assert_int_equal(wisp_trust_add(path("signer.pub"), NULL, NULL, &report), WISP_OK);
}

static void test_trust(void **state)
{
    (void)state;
    static const uint8_t native[] = "NNNNNNNNNNNNNNNN", other[] = "NNNNNNNNNNNNNNNM";
    assert_int_equal(check(native, NULL), WISP_E_UNTRUSTED);
    trust_it();
    assert_int_equal(check(native, NULL), WISP_OK);
    assert_int_equal(check(other, NULL), WISP_E_UNTRUSTED); /* what was copied is not what was signed */
    file.data[file.size - 1] ^= 1;                          /* the file changes after it was copied: no matter */
    assert_int_equal(check(native, NULL), WISP_OK);
    file.data[file.size - 1] ^= 1;
    file.data[file.size - NATIVE_SIZE - 1] ^= 1; /* "notf" */
    assert_int_equal(check(native, NULL), WISP_E_UNTRUSTED);
    file.data[file.size - NATIVE_SIZE - 1] ^= 1;
    chmod(path("config/wisp/trust"), 0770);
    assert_int_equal(check(native, NULL), WISP_E_UNTRUSTED);
    assert_non_null(strstr(report.text, "others may write"));
    chmod(path("config/wisp/trust"), 0700);
    chmod(path("config/wisp/trust/signer.pub"), 0662);
    assert_int_equal(check(native, NULL), WISP_E_UNTRUSTED);
    chmod(path("config/wisp/trust/signer.pub"), 0644);
    assert_int_equal(check(native, NULL), WISP_OK);
    assert_int_equal(wisp_trust_remove("signer", &report), WISP_OK);
    assert_int_equal(check(native, NULL), WISP_E_UNTRUSTED);
}

/* ---- the cache ---- */

static char entry_path[400];
static int entries;

static bool note_entry(void *context, const char *name)
{
    (void)context;
    entries++;
    snprintf(entry_path, sizeof entry_path, "%s/%.80s", path("cache/wisp/trust"), name);
    return true;
}

static int count_entries(void)
{
    entries = 0;
    (void)!os_list_folder(path("cache/wisp/trust"), note_entry, NULL, NULL);
    return entries;
}

/* Every field of the file's identity, each byte of the entry, the copy's digest, the signer, the installation. */
static void test_cache(void **state)
{
    (void)state;
    static const uint8_t native[] = "NNNNNNNNNNNNNNNN", other[] = "NNNNNNNNNNNNNNNM";
    const os_file_info old = {.size = file.size, .device = 1, .inode = 2, .mtime_ns = 1000, .ctime_ns = 2000};
    os_file_info fresh = old;
    trust_it();
    fresh.ctime_ns = (int64_t)os_realtime_ns();
    assert_int_equal(check(native, &fresh), WISP_OK);
    fresh.ctime_ns = 2000;
    fresh.mtime_ns = (int64_t)os_realtime_ns() - 1000000000;
    assert_int_equal(check(native, &fresh), WISP_OK);
    assert_int_equal(count_entries(), 0); /* too young */
    assert_int_equal(check(native, &old), WISP_OK);
    assert_int_equal(count_entries(), 1);
    uint8_t *body = file.data + file.size - NATIVE_SIZE - 1;
    *body ^= 1; /* from here on, only a remembered verdict is good */
    assert_int_equal(check(native, &old), WISP_OK);
    assert_int_equal(check(native, NULL), WISP_E_UNTRUSTED);
    assert_int_equal(check(other, &old), WISP_E_UNTRUSTED);
    for (int field = 0; field < 5; field++) {
        os_file_info changed = old;
        *(field == 0   ? &changed.size
          : field == 1 ? &changed.device
          : field == 2 ? &changed.inode
          : field == 3 ? (uint64_t *)&changed.mtime_ns
                       : (uint64_t *)&changed.ctime_ns) ^= 1;
        assert_int_equal(check(native, &changed), WISP_E_UNTRUSTED);
    }
    uint8_t entry[100];
    size_t size;
    assert_int_equal(os_read_private(entry_path, false, entry, sizeof entry, &size, &report), WISP_OK);
    assert_int_equal(size, 64);
    for (size_t i = 0; i <= size; i++) {
        unlink(entry_path);
        if (i < size) entry[i] ^= 1;
        assert_int_equal(os_create_file(entry_path, 0600, entry, size, &report), WISP_OK);
        assert_int_equal(check(native, &old), i < size ? WISP_E_UNTRUSTED : WISP_OK);
        if (i < size) entry[i] ^= 1;
    }
    chmod(entry_path, 0666);
    assert_int_equal(check(native, &old), WISP_E_UNTRUSTED);
    chmod(entry_path, 0600);
    assert_int_equal(check(native, &old), WISP_OK);
    rename(path("config/wisp/installation.key"), path("config/wisp/kept"));
    assert_int_equal(check(native, &old), WISP_E_UNTRUSTED); /* another installation */
    unlink(path("config/wisp/installation.key"));
    rename(path("config/wisp/kept"), path("config/wisp/installation.key"));
    assert_int_equal(check(native, &old), WISP_OK);
    assert_int_equal(wisp_trust_remove("signer", &report), WISP_OK);
    assert_int_equal(check(native, &old), WISP_E_UNTRUSTED);
    *body ^= 1;
}

static void test_installation_key(void **state)
{
    (void)state;
    uint8_t a[32], b[32];
    assert_int_equal(host_installation_key(a, "one", &report), WISP_OK);
    assert_int_equal(host_installation_key(b, "one", &report), WISP_OK);
    assert_memory_equal(a, b, 32);
    assert_int_equal(host_installation_key(b, "two", &report), WISP_OK);
    assert_memory_not_equal(a, b, 32);
    chmod(path("config/wisp/installation.key"), 0640);
    assert_int_equal(host_installation_key(b, "one", &report), WISP_E_UNTRUSTED);
    chmod(path("config/wisp/installation.key"), 0600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trust),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_installation_key),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
