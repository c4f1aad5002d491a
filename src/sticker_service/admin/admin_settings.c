/* GET /admin/settings: how this StickerService is configured, and where each value comes from; for superusers. Secrets
 * are not among the values that it has. */
#include "sticker_service/admin/admin.h"

#include <string.h>

void handle_admin_settings(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct error err;
    struct buf html;
    if (!admin_visit(ctx, req, res, &v))
        return;
    if (!v.session.user.is_superuser) {
        admin_message(&v, 403, MESSAGE_admin_denied, admin_say(MESSAGE_admin_denied_settings));
        return;
    }
    const struct sticker_service_config *cfg = v.service->cfg;
    struct tpl_admin_settings_rows *rows = arena_array(req->arena, cfg->n_settings + 1, sizeof *rows);
    if (!rows) {
        (void)err_no_memory(&err, "the settings");
        admin_fail(&v, &err);
        return;
    }
    for (size_t i = 0; i < cfg->n_settings; i++) {
        const struct service_setting *s = &cfg->settings[i];
        bool first = !i || strcmp(cfg->settings[i - 1].group, s->group) != 0;
        rows[i] = (struct tpl_admin_settings_rows){.group = first ? s->group : NULL,
                                                   .name = s->name,
                                                   .value = s->value,
                                                   .source = s->source,
                                                   .help = s->help,
                                                   .secret = s->secret,
                                                   .changed = strcmp(s->source, "default") != 0};
    }
    buf_init(&html, ADMIN_HTML_MAX);
    tpl_admin_settings(
        &html,
        &(struct tpl_admin_settings){.admin_layout = admin_layout(&v, admin_say(MESSAGE_admin_settings), "settings"),
                                     .version = cfg->version,
                                     .rows = rows,
                                     .n_rows = cfg->n_settings},
        admin_messages());
    admin_send(res, 200, &html);
}
