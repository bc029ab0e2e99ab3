/* Cameras for tests: a library to be preloaded (LD_PRELOAD) that lets a program see V4L2 cameras that are folders.
 *
 * $FAKECAM holds one folder a camera, video0, video1, ..., with a file `camera`:
 *
 *     name Front Camera
 *     format MJPG 640 360 30 clip.mjpeg
 *     format YUYV 320 180 15 clip.yuyv
 *
 * The first format is the camera's own. A clip is a file in the same folder, repeated for ever: JPEGs one after another
 * (MJPG), or pictures without a head (YUYV, NV12). A camera without a format is what UVC cameras have beside the real
 * one: a node for metadata. A test makes trouble by making empty files in the folder:
 *
 *     unplugged   the node is gone, and what is open says ENODEV
 *     frozen      no picture comes any more, and who waits for one waits for ever
 *     busy        another program has it: formats and streaming say EBUSY
 *     slow        it takes two seconds to begin
 *
 * With $FAKECAM set the real cameras of the machine are hidden, so an empty folder is a machine without cameras. Nothing
 * needs to be mounted or installed: listing /dev and reading a camera's name in /sys are answered here too.
 *
 * An open camera is a memory file, so that mapping its buffers needs no help. One picture is copied into each buffer
 * when it is taken out of the queue. Written for one-plane capture with mapped buffers, which is what programs use.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CAMERAS 32
#define FORMATS 16
#define BUFFERS 16
#define PAGE 4096u

typedef struct {
    __u32 code, width, height, rate;
    char clip[256];
} Format;

typedef struct {
    int used, fd, flags;
    char folder[512], name[64];
    Format formats[FORMATS];
    int count, now;
    __u32 buffers, stride;           /* how many, and bytes from one to the next */
    __u32 waiting[BUFFERS], queued;  /* the queue of empty buffers */
    int streaming;
    long long begun, shown;          /* nanoseconds, and the number of the last picture */
    unsigned char *clip;
    size_t size, at;
} Camera;

static Camera cameras[CAMERAS];
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static DIR *dev;                     /* the one listing of /dev that is going on */
static unsigned dev_next;

static void *next_symbol(const char *name) { return dlsym(RTLD_NEXT, name); }
#define NEXT(name) ((__typeof__(&name))next_symbol(#name))

static int refuse(int code) {
    errno = code;
    return -1;
}

static long long nanoseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void rest(long long nanos) {
    struct timespec t = {nanos / 1000000000LL, nanos % 1000000000LL};
    nanosleep(&t, NULL);
}

static int has(const char *folder, const char *file) {
    char path[800];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    return access(path, F_OK) == 0;
}

/* The folder of camera `number`; 0 when there is none, or it is pulled out. */
static int folder_of(unsigned number, char *folder, size_t room) {
    const char *root = getenv("FAKECAM");
    if (!root) return 0;
    snprintf(folder, room, "%s/video%u", root, number);
    return has(folder, "camera") && !has(folder, "unplugged");
}

static void describe(Camera *c) {
    char path[800], line[512];
    snprintf(path, sizeof path, "%s/camera", c->folder);
    FILE *file = fopen(path, "re");
    if (!file) return;
    while (fgets(line, sizeof line, file)) {
        char code[8];
        Format *f = &c->formats[c->count];
        line[strcspn(line, "\n")] = 0;
        if (!strncmp(line, "name ", 5)) snprintf(c->name, sizeof c->name, "%.63s", line + 5);
        if (c->count < FORMATS && sscanf(line, "format %4s %u %u %u %255s", code, &f->width, &f->height, &f->rate, f->clip) == 5
            && strlen(code) == 4 && f->rate) {
            f->code = v4l2_fourcc(code[0], code[1], code[2], code[3]);
            c->count++;
        }
    }
    fclose(file);
}

static Camera *by_fd(int fd) {
    for (Camera *c = cameras; c < cameras + CAMERAS; c++)
        if (c->used && c->fd == fd) return c;
    return NULL;
}

/* ---- pictures ---- */

static __u32 bytes_of(const Format *f) {
    __u32 pixels = f->width * f->height;
    return f->code == V4L2_PIX_FMT_NV12 ? pixels * 3 / 2 : pixels * 2;
}

static int load(Camera *c) {
    char path[800];
    snprintf(path, sizeof path, "%s/%s", c->folder, c->formats[c->now].clip);
    int fd = NEXT(open)(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    off_t size = lseek(fd, 0, SEEK_END);
    void *clip = size > 0 ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    NEXT(close)(fd);
    if (clip == MAP_FAILED) return -1;
    c->clip = clip;
    c->size = size;
    c->at = 0;
    return 0;
}

static void unload(Camera *c) {
    if (c->clip) munmap(c->clip, c->size);
    c->clip = NULL;
}

/* How many bytes the picture at the clip's place has. */
static size_t picture_size(Camera *c) {
    size_t left = c->size - c->at;
    if (c->formats[c->now].code != V4L2_PIX_FMT_MJPEG) {
        size_t size = bytes_of(&c->formats[c->now]);
        return size < left ? size : left;
    }
    static const unsigned char border[] = {0xff, 0xd9, 0xff, 0xd8};
    unsigned char *end = memmem(c->clip + c->at, left, border, sizeof border);
    return end ? (size_t)(end - (c->clip + c->at)) + 2 : left;
}

static __u32 take_picture(Camera *c, unsigned char *to) {
    if (c->at >= c->size) c->at = 0;
    size_t size = picture_size(c), copied = size < c->stride ? size : c->stride;
    memcpy(to, c->clip + c->at, copied);
    /* As drivers do: what lay in the buffer before stays behind the picture. */
    c->at += size;
    return copied;
}

static long long due(Camera *c) { return c->begun + (c->shown + 1) * 1000000000LL / c->formats[c->now].rate; }

/* ---- what is asked of a camera ---- */

/* The format that is like the wish, or the nearest, as drivers answer. */
static int nearest(Camera *c, __u32 code, __u32 width, __u32 height) {
    int best = c->now;
    long long least = -1;
    for (int i = 0; i < c->count; i++) {
        Format *f = &c->formats[i];
        long long off = llabs((long long)f->width - width) + llabs((long long)f->height - height) + (f->code == code ? 0 : 1000000);
        if (least < 0 || off < least) {
            best = i;
            least = off;
        }
    }
    return best;
}

static void tell_format(const Format *f, struct v4l2_pix_format *p) {
    memset(p, 0, sizeof *p);
    p->width = f->width;
    p->height = f->height;
    p->pixelformat = f->code;
    p->field = V4L2_FIELD_NONE;
    p->bytesperline = f->code == V4L2_PIX_FMT_YUYV ? f->width * 2 : f->code == V4L2_PIX_FMT_NV12 ? f->width : 0;
    p->sizeimage = bytes_of(f);
    p->colorspace = V4L2_COLORSPACE_SRGB;
}

/* Walks the formats that `fits` says; gives the one with this index among those that differ from all before them. */
static Format *indexed(Camera *c, __u32 index, int (*same)(const Format *, const Format *), int (*fits)(const Format *, const Format *),
                       const Format *wish) {
    __u32 seen = 0;
    for (int i = 0; i < c->count; i++) {
        int repeated = 0;
        if (!fits(&c->formats[i], wish)) continue;
        for (int j = 0; j < i; j++) repeated |= fits(&c->formats[j], wish) && same(&c->formats[j], &c->formats[i]);
        if (!repeated && seen++ == index) return &c->formats[i];
    }
    return NULL;
}
static int any(const Format *f, const Format *wish) { return (void)f, (void)wish, 1; }
static int same_code(const Format *a, const Format *b) { return a->code == b->code; }
static int same_size(const Format *a, const Format *b) { return a->code == b->code && a->width == b->width && a->height == b->height; }
static int same_rate(const Format *a, const Format *b) { return same_size(a, b) && a->rate == b->rate; }

static void tell_buffer(Camera *c, struct v4l2_buffer *b) {
    b->type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    b->memory = V4L2_MEMORY_MMAP;
    b->field = V4L2_FIELD_NONE;
    b->length = c->stride;
    b->m.offset = b->index * c->stride;
    b->flags = V4L2_BUF_FLAG_MAPPED | V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
}

static int dequeue(Camera *c, struct v4l2_buffer *b) {
    for (;;) {
        if (has(c->folder, "unplugged")) return refuse(ENODEV);
        if (!c->streaming) return refuse(EINVAL);
        if (c->queued && nanoseconds() >= due(c) && !has(c->folder, "frozen")) break;
        if (c->flags & O_NONBLOCK) return refuse(EAGAIN);
        pthread_mutex_unlock(&guard);
        rest(2000000);
        pthread_mutex_lock(&guard);
        if (!c->used) return refuse(EBADF);
    }
    /* Pictures for which no buffer was there in time are lost. */
    c->shown = (nanoseconds() - c->begun) * c->formats[c->now].rate / 1000000000LL;
    b->index = c->waiting[0];
    memmove(c->waiting, c->waiting + 1, --c->queued * sizeof c->waiting[0]);
    unsigned char *memory = mmap(NULL, c->stride, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, (off_t)b->index * c->stride);
    if (memory == MAP_FAILED) return -1;
    tell_buffer(c, b);
    b->bytesused = take_picture(c, memory);
    munmap(memory, c->stride);
    b->flags |= V4L2_BUF_FLAG_DONE;
    b->sequence = c->shown;
    long long now = nanoseconds();
    b->timestamp.tv_sec = now / 1000000000LL;
    b->timestamp.tv_usec = now % 1000000000LL / 1000;
    return 0;
}

static int answer(Camera *c, unsigned request, void *argument) {
    const int gone = has(c->folder, "unplugged"), busy = has(c->folder, "busy");
    Format *now = c->count ? &c->formats[c->now] : NULL;
    if (gone && request != VIDIOC_STREAMOFF) return refuse(ENODEV);
    switch (request) {
    case VIDIOC_QUERYCAP: {
        struct v4l2_capability *q = argument;
        memset(q, 0, sizeof *q);
        strcpy((char *)q->driver, "fakecam");
        strcpy((char *)q->bus_info, "platform:fakecam");
        snprintf((char *)q->card, sizeof q->card, "%.31s", c->name);
        q->version = 0x060000;
        q->device_caps = V4L2_CAP_STREAMING | (c->count ? V4L2_CAP_VIDEO_CAPTURE : V4L2_CAP_META_CAPTURE);
        q->capabilities = q->device_caps | V4L2_CAP_DEVICE_CAPS;
        return 0;
    }
    case VIDIOC_ENUM_FMT: {
        struct v4l2_fmtdesc *d = argument;
        Format *f = indexed(c, d->index, same_code, any, NULL);
        if (!f || d->type != V4L2_BUF_TYPE_VIDEO_CAPTURE) return refuse(EINVAL);
        d->pixelformat = f->code;
        d->flags = f->code == V4L2_PIX_FMT_MJPEG ? V4L2_FMT_FLAG_COMPRESSED : 0;
        snprintf((char *)d->description, sizeof d->description, "%.4s", (char *)&f->code);
        return 0;
    }
    case VIDIOC_ENUM_FRAMESIZES: {
        struct v4l2_frmsizeenum *e = argument;
        Format wish = {.code = e->pixel_format}, *f = indexed(c, e->index, same_size, same_code, &wish);
        if (!f) return refuse(EINVAL);
        e->type = V4L2_FRMSIZE_TYPE_DISCRETE;
        e->discrete.width = f->width;
        e->discrete.height = f->height;
        return 0;
    }
    case VIDIOC_ENUM_FRAMEINTERVALS: {
        struct v4l2_frmivalenum *e = argument;
        Format wish = {.code = e->pixel_format, .width = e->width, .height = e->height};
        Format *f = indexed(c, e->index, same_rate, same_size, &wish);
        if (!f) return refuse(EINVAL);
        e->type = V4L2_FRMIVAL_TYPE_DISCRETE;
        e->discrete.numerator = 1;
        e->discrete.denominator = f->rate;
        return 0;
    }
    case VIDIOC_G_FMT:
    case VIDIOC_TRY_FMT:
    case VIDIOC_S_FMT: {
        struct v4l2_format *f = argument;
        if (!now || f->type != V4L2_BUF_TYPE_VIDEO_CAPTURE) return refuse(EINVAL);
        int like = request == VIDIOC_G_FMT ? c->now
                                           : nearest(c, f->fmt.pix.pixelformat, f->fmt.pix.width, f->fmt.pix.height);
        if (request == VIDIOC_S_FMT) {
            if (busy || c->buffers) return refuse(EBUSY);
            c->now = like;
        }
        tell_format(&c->formats[like], &f->fmt.pix);
        return 0;
    }
    case VIDIOC_G_PARM:
    case VIDIOC_S_PARM: {
        struct v4l2_streamparm *p = argument;
        if (!now || p->type != V4L2_BUF_TYPE_VIDEO_CAPTURE) return refuse(EINVAL);
        struct v4l2_fract wish = p->parm.capture.timeperframe;
        if (request == VIDIOC_S_PARM && c->streaming) return refuse(EBUSY);
        if (request == VIDIOC_S_PARM && wish.numerator)
            for (int i = 0; i < c->count; i++)
                if (same_size(&c->formats[i], now) && c->formats[i].rate == wish.denominator / wish.numerator) c->now = i;
        memset(&p->parm.capture, 0, sizeof p->parm.capture);
        p->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
        p->parm.capture.timeperframe.numerator = 1;
        p->parm.capture.timeperframe.denominator = c->formats[c->now].rate;
        return 0;
    }
    case VIDIOC_REQBUFS: {
        struct v4l2_requestbuffers *r = argument;
        if (busy) return refuse(EBUSY);
        if (!now || r->memory != V4L2_MEMORY_MMAP) return refuse(EINVAL);
        if (r->count && has(c->folder, "slow")) {
            pthread_mutex_unlock(&guard);
            rest(2000000000);
            pthread_mutex_lock(&guard);
        }
        if (r->count > BUFFERS) r->count = BUFFERS;
        c->buffers = r->count;
        c->queued = 0;
        c->stride = (bytes_of(now) + PAGE - 1) / PAGE * PAGE;
        return ftruncate(c->fd, (off_t)c->stride * r->count);
    }
    case VIDIOC_QUERYBUF: {
        struct v4l2_buffer *b = argument;
        if (b->index >= c->buffers) return refuse(EINVAL);
        tell_buffer(c, b);
        return 0;
    }
    case VIDIOC_QBUF: {
        struct v4l2_buffer *b = argument;
        if (b->index >= c->buffers || c->queued >= c->buffers) return refuse(EINVAL);
        c->waiting[c->queued++] = b->index;
        b->flags = V4L2_BUF_FLAG_MAPPED | V4L2_BUF_FLAG_QUEUED;
        return 0;
    }
    case VIDIOC_DQBUF: return dequeue(c, argument);
    case VIDIOC_STREAMON:
        if (busy) return refuse(EBUSY);
        if (!c->buffers || load(c)) return refuse(EINVAL);
        c->streaming = 1;
        c->begun = nanoseconds();
        c->shown = 0;
        return 0;
    case VIDIOC_STREAMOFF:
        if (gone) return refuse(ENODEV);
        c->streaming = 0;
        c->queued = 0;
        unload(c);
        return 0;
    default: return refuse(ENOTTY);
    }
}

/* ---- the calls of the program ---- */

/* A descriptor for a path that we know; -2 for all others. */
static int open_known(const char *path, int flags) {
    unsigned number;
    int used = 0;
    Camera fresh = {.used = 1, .flags = flags};
    if (!path || !getenv("FAKECAM")) return -2;
    if (sscanf(path, "/sys/class/video4linux/video%u/name%n", &number, &used) == 1 && used && !path[used]) {
        if (!folder_of(number, fresh.folder, sizeof fresh.folder)) return refuse(ENOENT);
        describe(&fresh);
        int fd = memfd_create("fakecam-name", MFD_CLOEXEC);
        if (fd >= 0 && dprintf(fd, "%s\n", fresh.name) > 0) lseek(fd, 0, SEEK_SET);
        return fd;
    }
    used = 0;
    if (sscanf(path, "/dev/video%u%n", &number, &used) != 1 || path[used]) return -2;
    if (!folder_of(number, fresh.folder, sizeof fresh.folder)) return refuse(ENOENT);
    describe(&fresh);
    fresh.fd = memfd_create("fakecam", MFD_CLOEXEC);
    if (fresh.fd < 0) return -1;
    pthread_mutex_lock(&guard);
    for (Camera *c = cameras; c < cameras + CAMERAS; c++) {
        if (c->used) continue;
        *c = fresh;
        pthread_mutex_unlock(&guard);
        return fresh.fd;
    }
    pthread_mutex_unlock(&guard);
    NEXT(close)(fresh.fd);
    return refuse(EMFILE);
}

#define OPEN(name)                                                                       \
    int name(const char *path, int flags, ...) {                                         \
        va_list list;                                                                    \
        va_start(list, flags);                                                           \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;          \
        va_end(list);                                                                    \
        int fd = open_known(path, flags);                                                \
        return fd != -2 ? fd : NEXT(name)(path, flags, mode);                            \
    }
OPEN(open)
OPEN(open64)

int close(int fd) {
    pthread_mutex_lock(&guard);
    Camera *c = by_fd(fd);
    if (c) {
        unload(c);
        c->used = 0;
    }
    pthread_mutex_unlock(&guard);
    return NEXT(close)(fd);
}

static int answered(int fd, unsigned long request, void *argument, int *result) {
    pthread_mutex_lock(&guard);
    Camera *c = by_fd(fd);
    if (c) *result = answer(c, (unsigned)request, argument);
    pthread_mutex_unlock(&guard);
    return c != NULL;
}

int ioctl(int fd, unsigned long request, ...) {
    va_list list;
    va_start(list, request);
    void *argument = va_arg(list, void *);
    va_end(list);
    int result;
    return answered(fd, request, argument, &result) ? result : NEXT(ioctl)(fd, request, argument);
}

/* The Rust library v4l makes its ioctls this way. */
long syscall(long number, ...) {
    static long (*next)(long, ...);
    long a[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
    va_end(list);
    int result;
    if (number == SYS_ioctl && answered((int)a[0], (unsigned long)a[1], (void *)a[2], &result)) return result;
    if (!next) next = (long (*)(long, ...))next_symbol("syscall");
    return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* A memory file is always ready; a camera is ready when its next picture is due. */
int poll(struct pollfd *fds, nfds_t count, int timeout) {
    const long long end = timeout < 0 ? -1 : nanoseconds() + timeout * 1000000LL;
    for (;;) {
        pthread_mutex_lock(&guard);
        Camera *c = count == 1 ? by_fd(fds[0].fd) : NULL;
        if (!c) {
            pthread_mutex_unlock(&guard);
            return NEXT(poll)(fds, count, timeout);
        }
        int ready = c->streaming && c->queued && nanoseconds() >= due(c) && !has(c->folder, "frozen");
        fds[0].revents = has(c->folder, "unplugged") ? POLLERR | POLLHUP : ready ? fds[0].events & (POLLIN | POLLRDNORM) : 0;
        pthread_mutex_unlock(&guard);
        if (fds[0].revents || (end >= 0 && nanoseconds() >= end)) return fds[0].revents != 0;
        rest(1000000);
    }
}

DIR *opendir(const char *path) {
    DIR *folder = NEXT(opendir)(path);
    if (folder && getenv("FAKECAM") && !strcmp(path, "/dev")) {
        dev = folder;
        dev_next = 0;
    }
    return folder;
}

int closedir(DIR *folder) {
    if (folder == dev) dev = NULL;
    return NEXT(closedir)(folder);
}

struct dirent64 *readdir64(DIR *folder) {
    static struct dirent64 ours;
    char where[512];
    struct dirent64 *entry = NEXT(readdir64)(folder);
    if (folder != dev) return entry;
    while (entry && !strncmp(entry->d_name, "video", 5)) entry = NEXT(readdir64)(folder);
    if (entry) return entry;
    while (dev_next < CAMERAS) {
        unsigned number = dev_next++;
        if (!folder_of(number, where, sizeof where)) continue;
        memset(&ours, 0, sizeof ours);
        ours.d_ino = 1 + number;
        ours.d_reclen = sizeof ours;
        ours.d_type = DT_CHR;
        snprintf(ours.d_name, sizeof ours.d_name, "video%u", number);
        return &ours;
    }
    return NULL;
}
