/* The template compiler: what it refuses, and that what it makes is C that does as the language says.
 *
 * Runs build/<mode>/tools/templates on small templates in a folder of its own; for the meaning of the
 * language it compiles the result with cc and runs that. */
#include "cm.h"

#include "base/buf.h"
#include "base/os.h"

#include <string.h>
#include <sys/wait.h>

static char folder[256], tool[512];

static void write_file(const char *name, const char *text)
{
    char path[512];
    struct error err;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (os_write_file(path, text, strlen(text), &err) != OK)
        fail_msg("%s", err.message);
}

/* Runs a shell command in the folder; its output (both streams) into out. Returns the exit status. */
static int run(const char *command, char *out, size_t cap)
{
    char line[4096];
    snprintf(line, sizeof line, "cd '%s' && { %s; } 2>&1", folder, command);
    FILE *p = popen(line, "r");
    assert_non_null(p);
    size_t n = fread(out, 1, cap - 1, p);
    out[n] = '\0';
    int status = pclose(p);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int compile(const char *names, char *out, size_t cap)
{
    char line[2048];
    snprintf(line, sizeof line, "'%s' static gen/web %s", tool, names);
    return run(line, out, cap);
}

static int setup(void **state)
{
    (void)state;
    char self[400], out[256];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(n > 0);
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    snprintf(tool, sizeof tool, "%s/../tools/templates", self);
    tmp_make(folder, sizeof folder);
    assert_int_equal(run("mkdir -p gen/web static && touch static/app.css", out, sizeof out), 0);
    write_file("base.html", "{% param title: text %}<p>{{ title }}{% block a %}x{% endblock %}</p>");
    write_file("card.html", "{% param name: text %}{% param link: url %}<a href=\"{{ link }}\">{{ name }}</a>");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tmp_remove(folder);
    return 0;
}

struct mistake {
    const char *text, *message; /* the message after "t.html:" */
};

static const struct mistake mistakes[] = {
    {"<p>\n{{ titel }}", "2: unknown name 'titel' (known here: nothing)"},
    {"{% param title: text %}\n<p>\n{{ titel }}", "3: unknown name 'titel' (known here: title)"},
    {"{% param a: text %}\n<p>", "1: 'a' is declared and never used"},
    {"{% param a: list { x: text, y: text } %}\n{% for r in a %}{{ r.x }}{% endfor %}",
     "1: 'y' is declared and never used"},
    {"{% param a: list { x: text } %}{% for r in a %}{{ r.z }}{% endfor %}", "1: 'r' has no 'z' (it has: x)"},
    {"{% param a: text %}{% param a: int %}", "1: 'a' is declared twice (first in line 1)"},
    {"{% param a: txt %}{{ a.b }}", "1: 'txt' is neither a type nor a template"},
    {"{% param int: text %}{{ int }}", "1: 'int' is a reserved word; choose another name"},
    {"{% param n_a: text %}", "1: names beginning with n_ are kept for the lengths of lists: 'n_a'"},
    {"{% param a: list list text %}", "1: a list cannot hold lists directly: put the inner one into a { record }"},
    {"{% param a text %}", "1: expected ':', found 'text '"},
    {"{% param a: bool %}{{ a }}", "1: 'a' is bool and cannot be written: use if, for or include"},
    {"{% param a: text %}{{ a.b }}", "1: 'a' is text and has no 'b'"},
    {"{% param a: raw_html %}{{ a }}", "1: 'a' is raw_html: write {{ raw_html a }}, so that everyone sees it"},
    {"{% param a: text %}{{ raw_html a }}", "1: 'a' is not raw_html: write {{ a }}"},
    {"{% param a: raw_html %}<p title=\"{{ raw_html a }}\">",
     "1: 'a' stands in an attribute's value: values belong in text or in quoted attributes"},
    {"{% param a: text %}<a href=\"{{ a }}\">", "1: href= begins with 'a', which is text: declare it as url"},
    {"{% param a: text %}<img\n src='{{ a }}'>", "2: src= begins with 'a', which is text: declare it as url"},
    {"{% param a: bool %}{% param b: text %}<a href=\"{% if a %}/x/{% endif %}{{ b }}\">",
     "1: href= begins with 'b', which is text: declare it as url"},
    {"{% param a: text %}<p title={{ a }}>",
     "1: 'a' stands in an unquoted attribute: values belong in text or in quoted attributes"},
    {"<p title=x>", "1: the value of title= must be quoted"},
    {"{% param a: text %}<p {{ a }}>", "1: 'a' stands in a tag: values belong in text or in quoted attributes"},
    {"{% param a: text %}<{{ a }}>", "1: a '<' that begins no tag: write &lt;"},
    {"{% param a: text %}<h{{ a }}>", "1: 'a' stands in a tag: values belong in text or in quoted attributes"},
    {"{% param a: text %}<!-- {{ a }} -->",
     "1: 'a' stands in a comment: values belong in text or in quoted attributes"},
    {"{% param a: text %}<script>{{ a }}</script>",
     "1: 'a' stands in a script or style element: values belong in text or in quoted attributes"},
    {"<script>\nalert(1)</script>", "2: inline scripts and styles are refused: put them into web/static"},
    {"<style>p {}</style>", "1: inline scripts and styles are refused: put them into web/static"},
    {"<p onclick=\"x\">", "1: event handler attributes (onclick=) are refused: attach them in web/static"},
    {"<p style=\"x\">", "1: the attribute style= is refused: use a class and web/static"},
    {"<p>1 < 2", "1: a '<' that begins no tag: write &lt;"},
    {"<p class=\"a", "1: the template ends inside an attribute's value"},
    {"{% param a: bool %}<p {% if a %}class=\"x{% endif %}\">",
     "1: the branches of this if do not meet: one way ends in a tag, the other in an attribute's value"},
    {"{% param a: list text %}<p {% for x in a %}title=\"{{ x }}{% endfor %}\">",
     "1: this for does not end where it began: one way ends in an attribute's value, the other in a tag"},
    {"{% param a: bool %}\n{% if a %}", "2: this is never closed: expected '{% elif %}' before the end of the file"},
    {"{% endif %}", "1: unknown or misplaced statement 'endif '"},
    {"<p>\n{{ a", "2: '{{' is never closed by '}}'"},
    {"{# never", "1: '{#' is never closed by '#}'"},
    {"{% param a: text %}{{ a b }}", "1: expected the end of the tag, found 'b '"},
    {"{% param a: text %}{% if a == 3 %}{% endif %}", "1: cannot compare text == int"},
    {"{% param a: text %}{% if a < \"b\" %}{% endif %}", "1: cannot compare text < text"},
    {"{% param a: { x: text } %}{{ a.x }}{% if a %}{% endif %}",
     "1: a record is neither true nor false: test one of its fields"},
    {"{% param a: text %}{% for x in a %}{% endfor %}", "1: 'a' is text, not a list"},
    {"{% param a: list text %}{% for a in a %}{% endfor %}", "1: 'a' is a parameter already"},
    {"{{ loop.index }}", "1: 'loop' is known only inside a for"},
    {"{% param a: list text %}{% for x in a %}{{ x }}{{ loop.length }}{% endfor %}",
     "1: a loop has index, first and last, not 'length'"},
    {"{% include nothing %}", "1: there is no template 'nothing'"},
    {"{% include card with name=\"x\" %}", "1: parameter 'link' of 'card' is missing"},
    {"{% include card %}", "1: parameter 'name' of 'card' is missing"},
    {"{% include card with name=\"x\", link=\"/\", size=3 %}", "1: 'card' has no parameter 'size'"},
    {"{% include card with name=3, link=\"/\" %}", "1: parameter 'name' of 'card' is text, given is int"},
    {"{% param a: text %}{% include card with name=a, link=a %}",
     "1: parameter 'link' of 'card' is url, given is text"},
    {"{% param a: text %}{% include card a %}", "1: 'a' does not hold the parameters of 'card'"},
    {"<p {% include card %}>", "1: include stands in a tag: it belongs in text"},
    {"{% param t: t %}", "1: contains or extends itself"},
    {"{% extends nothing %}", "1: there is no template 'nothing'"},
    {"{% extends t %}", "1: extends itself"},
    {"{% extends base %}\nhello", "2: a template that extends 'base' has only params and blocks at its top level"},
    {"{% extends base %}{% block b %}{% endblock %}", "1: 'base' has no block 'b'"},
    {"{% extends base %}{% block a %}1{% endblock %}{% block a %}2{% endblock %}", "1: block 'a' is given twice"},
    {"{% extends base %}{% param title: text %}{% block a %}{{ title }}{% endblock %}",
     "1: 'title' is known from 'base' already"},
    {"{% param a: list text %}{% for x in a %}{{ x }}{% block b %}{% endblock %}{% endfor %}",
     "1: a block cannot stand inside a for"},
    {"<link href=\"{{ asset \"none.css\" }}\">", "1: there is no asset 'none.css' in static"},
    {"<p>{{ asset \"app.css\" }}", "1: an asset is a URL: it stands at the start of href=, src= and the like"},
    {"{% if true %}{% param a: text %}{% endif %}", "1: param must stand at the top of the file"},
    {"{% raw %}", "1: unknown or misplaced statement 'raw '"},
};

static void test_mistakes(void **state)
{
    (void)state;
    char out[4096], expected[512];
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        write_file("t.html", mistakes[i].text);
        int rc = compile("base.html card.html t.html", out, sizeof out);
        snprintf(expected, sizeof expected, "t.html:%s\n", mistakes[i].message);
        if (rc != 1 || strcmp(out, expected) != 0)
            fail_msg("%s\nexpected %sfound (%d) %s", mistakes[i].text, expected, rc, out);
    }
}

/* en.ini and de.ini, a template, and what is said of them. */
static const struct {
    const char *en, *de, *template, *message;
} disagreements[] = {
    {"a = A\n", "a = A\n", "<p>\n{{t b}}", "t.html:2: there is no message 'b' in en.ini"},
    {"a = A {x}\n", "a = {x} A\n", "{{t a}}", "t.html:1: 'a' needs {x}"},
    {"a = A\n", "a = A\n", "{{t a with x=1}}", "t.html:1: 'a' has no placeholder {x}"},
    {"a = A {x}\n", "a = {x} A\n", "{{t a with x=true}}", "t.html:1: {x} takes a text or an int, not bool"},
    {"a = A\n", "a = A\n", "<a href=\"{{t a}}\">",
     "t.html:1: message 'a' stands in a URL: messages belong in text or in attributes that hold text"},
    {"a = A\n", "a = A\n", "<p {{t a}}>",
     "t.html:1: message 'a' stands in a tag: messages belong in text or in attributes that hold text"},
    {"a = A\nb = B\n", "a = A\n", "x", "de.ini:1: 'b' is missing"},
    {"a = A\n", "# more\na = A\nb = B\n", "x", "de.ini:3: 'b' is not in en.ini"},
    {"a = A {x}\n", "a = A {y}\n", "x", "de.ini:1: 'a' has {y}, which is not in en.ini"},
    {"a = A {x}\n", "a = A\n", "x", "de.ini:1: 'a[other]' lacks {x}"},
    {"a[one] = {n} A\na[other] = {n} As\n", "a[other] = {n} As\n", "x",
     "de.ini:1: 'a' lacks the form [one], which de needs"},
    {"a[one] = one A\na[other] = {n} As\n", "a[one] = A\na[few] = A\na[other] = {n} As\n", "x",
     "de.ini:1: 'a' has the form [few], which de does not have"},
    {"a[one] = A\na[other] = As\n", "a[one] = A\na[other] = As\n", "x", "en.ini:1: 'a[other]' lacks {n}"},
    {"a[one] = A\na[other] = {n}\n", "a = {n}\n", "x", "de.ini:1: 'a' has no plural forms, in en.ini it has them"},
    {"a = A\na = B\n", "", "x", "en.ini:2: 'a' is there twice (first in line 1)"},
    {"a[some] = A\n", "", "x", "en.ini:1: 'some' is no plural category: zero, one, two, few, many or other"},
    {"a =\n", "", "x", "en.ini:1: 'a' says nothing"},
    {"A b = c\n", "", "x", "en.ini:1: a key is made of a-z, 0-9 and _, perhaps with a plural category: key[one]"},
    {"\n\nhello\n", "", "x", "en.ini:3: expected 'key = text', found 'hello'"},
    {"a = {X}\n", "", "x", "en.ini:1: expected a placeholder such as {query}, found '{X}'"},
    {"a = x}\n", "", "x", "en.ini:1: expected a placeholder such as {query}, found '}'"},
};

static void test_catalogues_agree(void **state)
{
    (void)state;
    char out[4096], expected[512];
    for (size_t i = 0; i < sizeof disagreements / sizeof *disagreements; i++) {
        write_file("en.ini", disagreements[i].en);
        write_file("de.ini", disagreements[i].de);
        write_file("t.html", disagreements[i].template);
        int rc = compile("en.ini de.ini t.html", out, sizeof out);
        snprintf(expected, sizeof expected, "%s\n", disagreements[i].message);
        if (rc != 1 || strcmp(out, expected) != 0)
            fail_msg("expected %sfound (%d) %s", expected, rc, out);
    }
    write_file("t.html", "{{t a}}");
    assert_int_equal(compile("t.html", out, sizeof out), 1);
    assert_string_equal(out, "t.html:1: there is no message 'a' in a catalogue: none was given\n");
    write_file("xx.ini", "a = A\n");
    assert_int_equal(compile("xx.ini t.html", out, sizeof out), 1);
    assert_string_equal(out, "xx.ini:1: nothing is known of plurals in 'xx': add it to src/web/plural.c\n");
}

/* en.ini, admin.en.ini, a template, its file, and what is said of them. */
static const struct {
    const char *en, *admin, *template, *file, *message;
} in_english[] = {
    {"a = A\n", "admin_b = B\n", "{{t admin_c}}", "admin_t.html",
     "admin_t.html:1: there is no message 'admin_c' in en.ini"},
    {"a = A\n", "admin_b = B {x}\n", "{{t admin_b}}", "admin_t.html", "admin_t.html:1: 'admin_b' needs {x}"},
    {"a = A\n", "admin_b = B\n", "{{t admin_b with x=1}}", "admin_t.html",
     "admin_t.html:1: 'admin_b' has no placeholder {x}"},
    {"a = A\n", "admin_b = B\n", "\n{{t admin_b}}", "t.html",
     "t.html:2: message 'admin_b' is in one language only: it belongs in templates named admin_..."},
    {"a = A\n", "\nb = B\n", "x", "t.html", "admin.en.ini:2: 'b' does not begin with 'admin_'"},
    {"admin_b = A\n", "admin_b = B\n", "x", "t.html", "admin.en.ini:1: 'admin_b' is in another catalogue as well"},
    {"a = A\n", "admin_b[one] = B\n", "x", "t.html",
     "admin.en.ini:1: 'admin_b' lacks the form [other], which en needs"},
    {"a = A\n", "admin_b[one] = B\nadmin_b[other] = Bs\n", "x", "t.html", "admin.en.ini:1: 'admin_b[other]' lacks {n}"},
    {"a = A\n", "admin_b[one] = {n}\nadmin_b[other] = {n} {x}\n", "x", "t.html",
     "admin.en.ini:1: 'admin_b[one]' lacks {x}"},
    {"a = A\n", "admin_b = {X}\n", "x", "t.html",
     "admin.en.ini:1: expected a placeholder such as {query}, found '{X}'"},
};

/* Messages in one language: others lack them, and only templates of their area have them. */
static void test_catalogue_of_an_area(void **state)
{
    (void)state;
    char out[4096], expected[512], files[64];
    for (size_t i = 0; i < sizeof in_english / sizeof *in_english; i++) {
        write_file("en.ini", in_english[i].en);
        write_file("de.ini", in_english[i].en);
        write_file("admin.en.ini", in_english[i].admin);
        write_file(in_english[i].file, in_english[i].template);
        snprintf(files, sizeof files, "en.ini admin.en.ini de.ini %s", in_english[i].file);
        int rc = compile(files, out, sizeof out);
        snprintf(expected, sizeof expected, "%s\n", in_english[i].message);
        if (rc != 1 || strcmp(out, expected) != 0)
            fail_msg("expected %sfound (%d) %s", expected, rc, out);
    }
    write_file("en.ini", "a = A\n");
    write_file("de.ini", "a = A\n");
    write_file("admin.de.ini", "admin_b = B\n");
    assert_int_equal(compile("en.ini de.ini admin.de.ini t.html", out, sizeof out), 1);
    assert_string_equal(out,
                        "admin.de.ini:1: the messages of 'admin' are in one language, that of the first catalogue, "
                        "which is for all\n");
    write_file("admin.en.ini", "admin_b = B {x}\n");
    write_file("admin_t.html", "{{t a}} {{t admin_b with x=\"1\"}}");
    if (compile("en.ini admin.en.ini de.ini admin_t.html", out, sizeof out) != 0)
        fail_msg("%s", out);
}

static void test_bad_files(void **state)
{
    (void)state;
    char out[4096];
    assert_int_equal(compile("missing.html", out, sizeof out), 1);
    assert_string_equal(out, "missing.html:0: cannot be opened\n");
    write_file("Bad-Name.html", "x");
    assert_int_equal(compile("Bad-Name.html", out, sizeof out), 1);
    assert_non_null(strstr(out, "a template's name is made of"));
    assert_int_equal(compile("", out, sizeof out), 2);
}

/* The meaning of the language, on a page that uses all of it. */
static void test_meaning(void **state)
{
    (void)state;
    write_file("base.html",
               "{% param title: text %}\n<html>\n  <body class=\"{% block class %}plain{% endblock %}\">\n"
               "    <h1>{{ title }}</h1>\n    {% block main %}default{% endblock %}\n  </body>\n</html>\n");
    write_file("card.html", "{% param name: text %}{% param link: url %}\n<a href=\"{{ link }}\">{{ name }}</a>\n");
    write_file(
        "t.html",
        "{% extends base %}\n"
        "{% param cards: list card %}{% param rows: list { cells: list text, n: int } %}\n"
        "{% param first: card %}{% param kind: text %}{% param x: number %}{% param on: bool %}\n"
        "{% param html: raw_html %}\n"
        "{% block class %}{{ kind }}{% if on %} on{% endif %}{% endblock %}\n"
        "{% block main %}\n"
        "{# gone #}\n"
        "{% for c in cards %}\n{{ loop.index }}{% if loop.last %}!{% endif %}{% include card c %}{% endfor %}\n"
        "{% for r in rows %}[{% for c in r.cells %}{% if not loop.first %}, {% endif %}{{ c }}{% endfor %}={{ r.n }}]"
        "{% else %}none{% endfor %}\n"
        "{% include card first %}{% include card with name=\"a?\?/\", link=\"/l?a=1\" %}\n"
        "{% if kind == \"a\" or kind == \"<b>\" and x >= 1.5 %}yes{% elif on %}maybe{% else %}no{% endif %}\n"
        "<a href=\"/s/{{ kind }}?n={{ x }}\"{% if on %} hidden{% endif %}>{{ raw_html html }}</a>\n"
        "<pre>  kept\n   so</pre> {{ title }}\n"
        "{% endblock %}\n");
    char out[8192];
    if (compile("base.html card.html t.html", out, sizeof out) != 0)
        fail_msg("%s", out);
    write_file("gen/web/assets_gen.h", "\n");
    write_file(
        "main.c",
        "#include \"web/templates.h\"\n#include <stdio.h>\n"
        "int main(void)\n{\n    struct buf b;\n    buf_init(&b, 65536);\n"
        "    struct tpl_card cards[] = {{\"<1>\", \"javascript:x\"}, {\"2\", \"/2?a&b\"}};\n"
        "    const char *cells[] = {\"x\", \"y\"};\n"
        "    struct tpl_t_rows rows[] = {{cells, 2, 7}, {NULL, 0, -1}};\n"
        "    tpl_t(&b, &(struct tpl_t){.base = {.title = \"T&T\"}, .cards = cards, .n_cards = 2, .rows = rows,\n"
        "        .n_rows = 2, .first = {\"f\", NULL}, .kind = \"<b>\", .x = 1.5, .on = true, .html = \"<i>\"});\n"
        "    tpl_base(&b, &(struct tpl_base){.title = NULL});\n"
        "    fputs(buf_str(&b), stdout);\n    return 0;\n}\n");
    char command[2048], source[400];
    ssize_t n = readlink("/proc/self/cwd", source, sizeof source - 1);
    assert_true(n > 0);
    source[n] = '\0';
    snprintf(
        command, sizeof command,
        "cc -std=c17 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -I'%s/src' -Igen -o t main.c "
        "gen/web/templates.c '%s/src/web/html.c' '%s/src/base/buf.c' '%s/src/base/status.c' -lm && ./t",
        source, source, source, source);
    if (run(command, out, sizeof out) != 0)
        fail_msg("%s", out);
    assert_string_equal(out, "<html>\n<body class=\"&lt;b&gt; on\">\n<h1>T&amp;T</h1>\n"
                             "1<a href=\"#\">&lt;1&gt;</a>\n2!<a href=\"/2?a&amp;b\">2</a>\n\n"
                             "[x, y=7][=-1]\n"
                             "<a href=\"\">f</a>\n<a href=\"/l?a=1\">a?\?/</a>\n\nyes\n"
                             "<a href=\"/s/%3Cb%3E?n=1.5\" hidden><i></a>\n<pre>  kept\n   so</pre> T&amp;T\n"
                             "</body>\n</html>\n"
                             "<html>\n<body class=\"plain\">\n<h1></h1>\ndefault\n</body>\n</html>\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_catalogues_agree),
        cmocka_unit_test(test_catalogue_of_an_area),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_meaning),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
