import { describe, expect, it } from 'vitest';
import { Gate } from './gate.ts';

const stays = new AbortController().signal;

describe('a gate', () => {
  it('lets in as many as it has places, the others in their order', async () => {
    const gate = new Gate(2, 10);
    const [leaveA] = await Promise.all([gate.enter(stays), gate.enter(stays)]);
    const order: string[] = [];
    const third = gate.enter(stays).then((leave) => {
      order.push('third');
      return leave;
    });
    const fourth = gate.enter(stays).then(() => order.push('fourth'));
    await Promise.resolve();
    expect(order).toEqual([]);
    leaveA();
    leaveA();
    const leaveThird = await third;
    expect(order).toEqual(['third']);
    leaveThird();
    await fourth;
    expect(order).toEqual(['third', 'fourth']);
  });

  it('refuses where too many wait, and forgets who left', async () => {
    const gate = new Gate(1, 1);
    const leave = await gate.enter(stays);
    const client = new AbortController();
    const second = gate.enter(client.signal);
    await expect(gate.enter(stays)).rejects.toMatchObject({ code: 'overloaded', status: 503 });
    client.abort();
    await expect(second).rejects.toMatchObject({ code: 'cancelled' });
    const third = gate.enter(stays);
    leave();
    (await third)();
    await expect(gate.enter(stays)).resolves.toBeTypeOf('function');
    await expect(gate.enter(AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
  });
});
