/* The other half's functions are in the same image: no detour over a table of addresses. */
#pragma GCC visibility push(hidden)
