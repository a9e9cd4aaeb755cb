// The next task of the event loop: everybody who waits for something that has happened gets a turn before it.

/** Resolves in the next task, after all microtasks of this one. */
export const nextTask: () => Promise<void> =
  typeof setImmediate === "function"
    ? () => new Promise((resolve) => void setImmediate(resolve))
    : () =>
        new Promise((resolve) => {
          // Timers are held back to 4 ms where they follow one another; messages are not.
          const { port1, port2 } = new MessageChannel();
          const onMessage = () => {
            port1.close();
            resolve();
          };
          Object.assign(port1, { onmessage: onMessage });
          port2.postMessage(null);
        });
