export type Value = string | number | bigint | boolean | Date | Buffer | null;
/** A value, or rows for a bulk `VALUES ?`, or a list for `IN (?)`. */
export type Param = Value | Value[] | Value[][];
/** A list fills each `?` in its order, an object each `:name`; a statement has one kind of them. */
export type Params = Param[] | Readonly<Record<string, Param>>;
export type Row = Record<string, unknown>;

export type Reader = {
  /** Rows of a SELECT. */
  query<T extends object = Row>(sql: string, params?: Params): Promise<T[]>;
  /** The first row, or undefined. */
  one<T extends object = Row>(sql: string, params?: Params): Promise<T | undefined>;
  /**
   * Rows one by one, for results that do not fit into memory: few are held at a time, however many there are. Each
   * must come within `timeoutMs`; whoever reads may take ten minutes over one. Leaving the loop early ends the
   * connection, since the server would go on sending.
   */
  stream<T extends object = Row>(sql: string, params?: Params): AsyncIterable<T>;
};

export type InsertOptions = {
  /** Default: the names in the first row. A row may leave one out, which is then NULL, and has no others. */
  columns?: string[];
  /** Rows whose key is there already: an error (the default), left as they are, or given the new values. */
  duplicates?: 'refuse' | 'ignore' | 'update';
  /** Of one statement at most, and never more than the server takes. */
  chunkBytes?: number;
};

export type InsertRow = Readonly<Record<string, Value | undefined>>;

export type Queryable = Reader & {
  /** How many rows an INSERT, UPDATE or DELETE touched (changed rows count, and so do matched ones). */
  run(sql: string, params?: Params): Promise<number>;
  /**
   * Inserts many rows, in as few statements as the server takes, all or none of them. Returns how many rows the server
   * says it touched: with `update` a row that was changed counts twice. Rows may come from a generator.
   */
  insert(
    table: string,
    rows: Iterable<InsertRow> | AsyncIterable<InsertRow>,
    options?: InsertOptions,
  ): Promise<number>;
};

export type TransactionOptions = {
  /** How often to run it again after a deadlock, a lock wait, or a connection that was lost before COMMIT was sent. */
  retries?: number;
  /**
   * Run twice it does no harm, so that it is run again, too, when COMMIT was sent and its answer lost. Otherwise that
   * is the error `database_commit_unknown`.
   */
  idempotent?: boolean;
};

/** A statement that took long; what its parameters were is never told. */
export type SlowQuery = { sql: string; ms: number; database: string };

export type SlowOptions = {
  overMs: number;
  /** A logger of `mega-fleet/logs`, or a function. */
  tell: ((query: SlowQuery) => void) | { warn(fields: object, text: string): void };
};

/** Where a database is, other than by its URL; what is said here wins over the option file. */
export type Server = {
  host?: string;
  port?: number;
  /** The path of a unix socket, in the place of host and port. */
  socket?: string;
  user?: string;
  password?: string;
  database?: string;
  /** A file in the format of my.cnf, such as `~/.my.cnf`; `group` is the section to read, `client` by default. */
  optionFile?: string;
  group?: string;
};

export type ConnOptions = {
  connections?: number;
  /** One statement's limit, and that of getting a connection. */
  timeoutMs?: number;
  /**
   * For how long to try again to connect to a server that was there before and is away now, as in a restart. A server
   * that never was there is told at once.
   */
  patienceMs?: number;
  /** Only for migrations: several statements in one text. */
  multipleStatements?: boolean;
  /** Certificates (PEM) of the CAs that the server is verified by. */
  ca?: string | undefined;
  /** Default: on, except to loopback. */
  tls?: boolean | undefined;
  /** Answers what is asked of `db.replica`. */
  replica?: string | Server;
  slow?: SlowOptions;
};

export type Conn = Queryable &
  AsyncDisposable & {
    /**
     * Runs `work` in one transaction, again where its end is known to be that nothing was done; so `work` must have no
     * effect but on the database.
     */
    transaction<T>(work: (db: Queryable) => Promise<T>, options?: TransactionOptions): Promise<T>;
    /**
     * For reading alone, from the replica; from the server itself where none is named, or where it is away. What is
     * read there may be older than what was written. A statement that writes is refused wherever it goes.
     */
    readonly replica: Reader;
    /** Waits for what is under way, a few seconds at most. Again it does nothing. */
    close(): Promise<void>;
  };
