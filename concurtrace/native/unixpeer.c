/* The other end of a connected unix socket, asked from the kernel (sock_diag), by inode; 0 = not to be had.
 *
 * Socket pairs are noted when they are made; this is for sockets that were connected or accepted. */
#include "recorder.h"

#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/syscall.h>

static uint32_t peer_in(const uint8_t *answer, size_t length)
{
    const struct nlmsghdr *head = (const void *)answer;
    if (length < sizeof *head + sizeof(struct unix_diag_msg) || head->nlmsg_type != SOCK_DIAG_BY_FAMILY
        || head->nlmsg_len > length)
        return 0;
    size_t at = NLMSG_LENGTH(sizeof(struct unix_diag_msg));
    while (at + sizeof(struct nlattr) <= head->nlmsg_len) {
        const struct nlattr *attribute = (const void *)(answer + at);
        if (attribute->nla_type == UNIX_DIAG_PEER && attribute->nla_len >= sizeof *attribute + 4)
            return *(const uint32_t *)(const void *)(attribute + 1);
        if (attribute->nla_len < sizeof *attribute)
            break;
        at += NLA_ALIGN(attribute->nla_len);
    }
    return 0;
}

uint32_t ct_unix_peer(uint32_t inode)
{
    struct { struct nlmsghdr head; struct unix_diag_req body; } request = {
        .head = {.nlmsg_len = sizeof request, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
        .body = {.sdiag_family = AF_UNIX, .udiag_states = ~0u, .udiag_ino = inode, .udiag_show = UDIAG_SHOW_PEER,
                 .udiag_cookie = {~0u, ~0u}}};
    uint8_t answer[512] __attribute__((aligned(8)));
    int fd = (int)syscall(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
    if (fd < 0)
        return 0;
    /* The kernel answers before the send returns; nothing here can block. */
    long length = -1;
    if (syscall(SYS_sendto, fd, &request, sizeof request, 0, NULL, 0) == (long)sizeof request)
        length = syscall(SYS_recvfrom, fd, answer, sizeof answer, 0, NULL, NULL);
    syscall(SYS_close, fd);
    return length > 0 ? peer_in(answer, (size_t)length) : 0;
}
