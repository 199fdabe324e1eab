/* The host of a request: that of its target where it is a whole URI, else its Host (RFC 9112,
 * section 3.3). */
#include "admission/host.h"

#include "config/address.h"
#include "observe/metrics.h"

#include <stdio.h>
#include <string.h>

/* Writes the authority of "http://HOST:PORT/path"; false: the target is no whole URI. */
static bool find_authority(const request *r, char authority[REQUEST_ORIGIN_SIZE])
{
    const char *at = r->uri[0] == '/' ? NULL : strstr(r->uri, "://");
    size_t length;

    if (at == NULL)
        return false;
    length = strcspn(at + 3, "/?#");
    snprintf(authority, REQUEST_ORIGIN_SIZE, "%.*s", (int)(length < 512 ? length : 512), at + 3);
    return true;
}

/* What allow-host says, or what stands for auto on this listener; the admin listener has its own
 * names besides the list, for whoever scrapes it. */
static bool is_allowed(const request *r, const char *authority)
{
    const service *s = r->context->service;
    service_role role = r->context->role;
    bool is_auto = strcmp(s->config->allow_host, HOSTS_AUTO) == 0;

    if ((is_auto || role == ROLE_ADMIN) && hosts_hold(s->own_hosts[role], authority))
        return true;
    return !is_auto && hosts_hold(s->config->allow_host, authority);
}

outcome host_step(request *r)
{
    char authority[REQUEST_ORIGIN_SIZE], detail[GRAD_DETAIL_SIZE];
    bool is_whole = find_authority(r, authority);
    const char *host = is_whole ? authority : r->headers.host;

    if (host == NULL || r->route->metric == ROUTE_HEALTH || is_allowed(r, host))
        return OUTCOME_MORE;
    metrics_count_rejection(REJECT_HOST);
    snprintf(detail, sizeof detail,
             "expected one of the hosts that allow-host lets in, found \"%.100s\"", host);
    return request_reject_with(r, MHD_HTTP_MISDIRECTED_REQUEST, "unknown_host", detail);
}
