/* The core's only C: stable Rust cannot define a function with a variable
 * number of arguments. skynet_error, which Rust exports, jumps here with its
 * arguments untouched; the text goes back to Rust. */

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct skynet_context;

/* In error.rs. Copies the text. Hidden: it is nobody else's, so that no library or
 * executable exports it, although Rust exports every name that C has to know. */
__attribute__((visibility("hidden")))
void skynet_error_text(struct skynet_context *from, const char *text, size_t length);

/* Most lines fit in here and are formatted once, without allocating. */
enum { LINE = 512 };

/* The stack room was too small: format again into a block that fits. */
static int
send_long(struct skynet_context *from, size_t length, const char *format, va_list arguments) {
	char *block = malloc(length + 1);
	if (block == NULL)
		return -1;
	int written = vsnprintf(block, length + 1, format, arguments);
	if (written >= 0)
		skynet_error_text(from, block, length);
	free(block);
	return written;
}

void
skynet_error_format(struct skynet_context *from, const char *format, ...) {
	va_list arguments;
	int length;

	va_start(arguments, format);
	if (strcmp(format, "%*s") == 0) {
		/* Not printf's meaning: the number is the text's length, and the text
		 * may hold zeros. Lua's skynet.error logs this way. */
		length = va_arg(arguments, int);
		const char *text = va_arg(arguments, const char *);
		va_end(arguments);
		if (length >= 0)
			skynet_error_text(from, text, (size_t)length);
		else
			fprintf(stderr, "skynet_error: a text of %d bytes\n", length);
		return;
	}

	char line[LINE];
	length = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (length >= 0 && length < LINE) {
		skynet_error_text(from, line, (size_t)length);
		return;
	}
	if (length >= 0) {
		va_start(arguments, format);
		length = send_long(from, (size_t)length, format, arguments);
		va_end(arguments);
	}
	if (length < 0)
		perror("skynet_error");
}
