/*
 * The least that a server can do: an epoll loop and a hash table.
 *
 *     server PORT FILE
 *
 * FILE is a users file with a line for each user.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static struct user { char *login, *answer; size_t length; } *table;
static size_t room;

static size_t hash(const char *login) {
    size_t sum = 14695981039346656037u;
    while (*login) sum = (sum ^ (unsigned char)*login++) * 1099511628211u;
    return sum;
}

static struct user *find(const char *login) {
    size_t at = hash(login) & (room - 1);
    while (table[at].login && strcmp(table[at].login, login) != 0) at = (at + 1) & (room - 1);
    return table + at;
}

static void load(const char *path) {
    char line[4096];
    size_t lines = 0;
    FILE *file = fopen(path, "r");
    if (!file) { perror(path); exit(1); }
    while (fgets(line, sizeof line, file)) lines++;
    for (room = 1024; room < 2 * lines; room *= 2) ;
    table = calloc(room, sizeof *table);
    rewind(file);
    while (fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':'), answer[4100];
        if (!colon) continue;
        *colon = 0;
        colon[1 + strcspn(colon + 1, "\n")] = 0;
        struct user *user = find(line);
        user->login = strdup(line);
        user->length = snprintf(answer, sizeof answer, "%s\r\n", colon + 1);
        user->answer = strdup(answer);
    }
    fclose(file);
}

/* Whether the line was there, and was answered. */
static int answer(int fd) {
    static struct user nobody = {"", "No such user\r\n", 14};
    char line[513];
    ssize_t n = recv(fd, line, sizeof line - 1, 0);
    if (n < 0) return 0;
    line[n] = 0;
    line[strcspn(line, "\r\n")] = 0;
    struct user *user = find(line);
    if (!user->login) user = &nobody;
    send(fd, user->answer, user->length, MSG_NOSIGNAL);
    close(fd);
    return 1;
}

int main(int count, char **words) {
    if (count != 3) { fputs("server PORT FILE\n", stderr); return 2; }
    load(words[2]);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(atoi(words[1]))};
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int port = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1, loop = epoll_create1(0);
    setsockopt(port, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(port, (struct sockaddr *)&here, sizeof here) < 0 || listen(port, 1024) < 0) {
        perror("listen");
        return 1;
    }
    struct epoll_event event = {EPOLLIN, {.fd = port}}, events[256];
    epoll_ctl(loop, EPOLL_CTL_ADD, port, &event);
    for (;;) {
        int n = epoll_wait(loop, events, 256, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd != port) { answer(fd); continue; }
            while ((fd = accept4(port, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                /* Most times the line came with the connection. */
                if (answer(fd)) continue;
                event = (struct epoll_event){EPOLLIN, {.fd = fd}};
                epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
            }
        }
    }
}
