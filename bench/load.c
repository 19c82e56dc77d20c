/*
 * Clients that ask, one query a connection, and check each answer.
 *
 *     load PORT CLIENTS QUERIES FIRST USERS ADDRESSES PAUSE DELAY QUERY ANSWER...
 *
 * CLIENTS of them ask 127.0.0.1:PORT for QUERIES users in all, picked at random from USERS with
 * numbers from FIRST on; 0 QUERIES go on until SIGTERM. They connect from ADDRESSES addresses, and
 * wait PAUSE milliseconds between two queries, and DELAY between the connection and the query: as
 * over a network, there is then nothing to be read when the connection is made. The first time,
 * they begin one after the other, evenly spread over PAUSE and DELAY. QUERY and ANSWER are formats
 * with the number, as in user%1$07u; an answer is right if it is any of ANSWER. It says "asking"
 * when it begins, and in a line of JSON how it went.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Without an answer for so long, in milliseconds, a client will get none. */
#define PATIENCE 10000
#define TOO_MANY_FAILURES 1000

struct client {
    int fd, address, sent, open;
    unsigned user;
    size_t got;
    double begun, due;
    char answer[4096];
};

static int port, loop, answerFormats;
static char *query, **answers;
static unsigned first, users, picked = 2463534242u;
static unsigned long right, wrong, failed;
static double pause_, delay, *latencies;
static size_t latencyRoom;
static volatile sig_atomic_t stopping;

static void stop(int number) { (void)number; stopping = 1; }

static double seconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static unsigned pick(void) {
    picked ^= picked << 13, picked ^= picked >> 17, picked ^= picked << 5;
    return first + picked % users;
}

static void end(struct client *c) {
    close(c->fd);
    c->open = 0;
    c->due = seconds(CLOCK_MONOTONIC) + pause_;
}

static void fail(struct client *c, const char *what) {
    if (failed++ == 0) fprintf(stderr, "user %u: %s: %s\n", c->user, what, strerror(errno));
    end(c);
}

/* Whether nothing is wrong: the query may still wait for the connection. */
static int trySending(struct client *c) {
    char text[1024];
    int length = snprintf(text, sizeof text, query, c->user);
    if (send(c->fd, text, length, MSG_NOSIGNAL) == length) c->sent = 1;
    else if (errno != EAGAIN && errno != ENOTCONN) { fail(c, "send"); return 0; }
    return 1;
}

static void begin(struct client *c) {
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    int one = 1;
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + c->address);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(port);
    c->user = pick();
    c->got = c->sent = 0;
    c->open = 1;
    c->begun = seconds(CLOCK_MONOTONIC);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->address) {
        /* The port is chosen at connect(), so that one can serve for several addresses. */
        setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        if (bind(c->fd, (struct sockaddr *)&from, sizeof from) < 0) { fail(c, "bind"); return; }
    }
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) {
        fail(c, "connect");
        return;
    }
    if (delay) c->due = c->begun + delay;
    /* On one machine the connection is there by now, most times. */
    else if (!trySending(c)) return;
    struct epoll_event event = {EPOLLIN | EPOLLET | (c->sent || delay ? 0 : EPOLLOUT), {.ptr = c}};
    epoll_ctl(loop, EPOLL_CTL_ADD, c->fd, &event);
}

static void check(struct client *c) {
    char expected[sizeof c->answer];
    for (int i = 0; i < answerFormats; i++) {
        size_t length = snprintf(expected, sizeof expected, answers[i], c->user);
        if (c->got == length && memcmp(c->answer, expected, length) == 0) {
            if (right == latencyRoom) {
                latencyRoom = latencyRoom ? 2 * latencyRoom : 65536;
                latencies = realloc(latencies, latencyRoom * sizeof *latencies);
            }
            latencies[right++] = seconds(CLOCK_MONOTONIC) - c->begun;
            return;
        }
    }
    if (wrong++ == 0) fprintf(stderr, "user %u: got %.*s\n", c->user, (int)c->got, c->answer);
}

static void go(struct client *c) {
    if (!c->sent && (delay || !trySending(c))) return;
    for (;;) {
        ssize_t n = recv(c->fd, c->answer + c->got, sizeof c->answer - c->got, 0);
        if (n > 0) { c->got += n; continue; }
        if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) return;
        if (n < 0) { fail(c, "recv"); return; }
        check(c);
        end(c);
        return;
    }
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double milliseconds(double share) {
    return right ? 1000 * latencies[(size_t)(share * (right - 1))] : 0;
}

int main(int count, char **words) {
    if (count < 11) { fputs("load: see load.c\n", stderr); return 2; }
    port = atoi(words[1]);
    int clients = atoi(words[2]), addresses = atoi(words[6]);
    unsigned long queries = strtoul(words[3], NULL, 10), begun = 0;
    first = atoi(words[4]), users = atoi(words[5]), pause_ = atof(words[7]) / 1000;
    delay = atof(words[8]) / 1000, query = words[9], answers = words + 10, answerFormats = count - 10;
    signal(SIGTERM, stop);
    puts("asking");
    fflush(stdout);
    loop = epoll_create1(0);
    struct client *all = calloc(clients, sizeof *all);
    double start = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), heard = start;
    for (int i = 0; i < clients; i++)
        all[i].address = i % addresses, all[i].due = start + (pause_ + delay) * i / clients;
    struct epoll_event events[256];
    for (int open = 0;;) {
        int more = !stopping && failed < TOO_MANY_FAILURES;
        double now = seconds(CLOCK_MONOTONIC), next = now + 1;
        open = 0;
        for (int i = 0; i < clients; i++) {
            struct client *c = all + i;
            if (!c->open && more && (!queries || begun < queries)) {
                if (c->due <= now) begun++, begin(c);
                /* It may have failed at once. */
                if (!c->open && c->due < next) next = c->due;
            }
            if (delay && c->open && !c->sent) {
                if (c->due <= now) c->begun = now, trySending(c);
                /* The connection may not be there yet. */
                if (c->open && !c->sent) {
                    double again = c->due > now ? c->due : now + 0.001;
                    if (again < next) next = again;
                }
            }
            open += c->open;
        }
        if (!open && (!more || (queries && begun >= queries))) break;
        int n = epoll_wait(loop, events, 256, next > now ? (int)((next - now) * 1000) + 1 : 0);
        if (n > 0) heard = now;
        else if (open && (now - heard) * 1000 > PATIENCE) { failed += open; break; }
        for (int i = 0; i < n; i++) go(events[i].data.ptr);
    }
    if (right) qsort(latencies, right, sizeof *latencies, compare);
    printf("{\"right\": %lu, \"wrong\": %lu, \"failed\": %lu, \"seconds\": %.6f, \"cpu\": %.6f, "
           "\"p50\": %.3f, \"p99\": %.3f, \"max\": %.3f}\n",
           right, wrong, failed, seconds(CLOCK_MONOTONIC) - start,
           seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu,
           milliseconds(0.5), milliseconds(0.99), milliseconds(1));
    return 0;
}
