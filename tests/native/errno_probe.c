/* Is errno what libc alone would leave? Returns 0, or the number of the first call that is wrong. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KEEPS(number, call) do { errno = 77; if ((call) < 0 || errno != 77) return number; } while (0)
#define SETS(number, call, expected) do { errno = 0; if ((call) >= 0 || errno != (expected)) return number; } while (0)

__attribute__((visibility("default"))) int errno_kept(void)
{
    int ends[2], pair[2];
    char byte = 1;
    sem_t semaphore;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    struct timespec tiny = {0, 1000}, past = {0, 0};
    KEEPS(1, pipe(ends));
    KEEPS(2, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    KEEPS(3, write(ends[1], &byte, 1));
    KEEPS(4, read(ends[0], &byte, 1));
    KEEPS(5, send(pair[0], &byte, 1, 0));
    KEEPS(6, recv(pair[1], &byte, 1, 0));
    struct pollfd ready = {.fd = pair[0], .events = POLLOUT};
    KEEPS(7, poll(&ready, 1, 100));
    KEEPS(8, nanosleep(&tiny, NULL));
    KEEPS(9, sem_init(&semaphore, 0, 1));
    KEEPS(10, sem_wait(&semaphore));
    SETS(11, sem_trywait(&semaphore), EAGAIN);
    SETS(12, sem_timedwait(&semaphore, &past), ETIMEDOUT);
    KEEPS(13, sem_post(&semaphore));
    KEEPS(14, sem_destroy(&semaphore));
    KEEPS(15, pthread_mutex_lock(&mutex));
    KEEPS(16, pthread_mutex_unlock(&mutex));
    KEEPS(17, dup2(ends[0], ends[0]));
    KEEPS(18, close(ends[0]));
    SETS(19, close(ends[0]), EBADF);
    SETS(20, read(ends[0], &byte, 1), EBADF);
    SETS(21, waitpid(-1, NULL, WNOHANG), ECHILD);
    KEEPS(22, close(ends[1]));
    KEEPS(23, shutdown(pair[0], SHUT_WR));
    KEEPS(24, close(pair[0]));
    KEEPS(25, close(pair[1]));
    SETS(26, open("/nonexistent/file", O_RDONLY), ENOENT);
    SETS(27, mkdir("/", 0700), EEXIST);
    SETS(28, rmdir("/nonexistent/folder"), ENOENT);
    SETS(29, unlink("/nonexistent/file"), ENOENT);
    SETS(30, rename("/nonexistent/file", "/nonexistent/other"), ENOENT);
    return 0;
}
