import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { ended, told, upgrade, useWorld } from './support/world.ts';

const world = useWorld();

for (const umask of ['000', '077'])
  test(`a home made and upgraded under umask ${umask} is written by its owner alone, and its library read by all`, async () => {
    const host = `umask-${umask}`;
    await world().publish(`1.1.${umask}`);
    const before = process.umask(Number.parseInt(umask, 8));
    try {
      const agent = await world().addHost(host, '1.0.0');
      await agent.start();
      await world().untilOnline([host]);
      const job = await upgrade(world(), `1.1.${umask}`, [host]);
      assert.equal(told((await ended(world(), job)).get(host)), `succeeded completed 1.1.${umask}`);
      const { root, state, current } = agent.home;
      const find = (...words: string[]) => execFileSync('find', words, { encoding: 'utf8' });
      assert.equal(find(root, '!', '-type', 'l', '-perm', '/022'), '');
      assert.equal(statSync(state).mode & 0o777, 0o700);
      assert.equal(find(state, '-type', 'f', '-name', '[ij]*', '-perm', '/077'), '', 'identity and journal');
      assert.equal(find(`${current}/`, '!', '-type', 'l', '!', '-perm', '-444'), '');
      assert.equal(find(`${current}/`, '-type', 'd', '!', '-perm', '755'), '');
      assert.equal(statSync(dirname(agent.home.loader)).mode & 0o022, 0);
      await agent.stop();
    } finally {
      process.umask(before);
    }
  });
