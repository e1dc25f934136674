import type { Clock } from '../../lib/clock.ts'
import { fault } from '../../lib/faults.ts'
import { CrowdGauge, type Gauge, WindowGauge } from '../../lib/gauge.ts'
import type { Caller } from '../access.ts'
import type { Kind } from './kinds.ts'
import { type Limit, limitsOf, type Subject, type Subjects } from './rows.ts'

/** A limit with what counts against it. */
export interface Count {
  readonly kind: Kind
  readonly most: number
  readonly gauge: Gauge
}

/** What one subject's requests to one model are held to. */
export interface Bucket {
  readonly subject: Subject
  readonly counts: readonly Count[]
}

/** How often at most buckets are looked through for empty ones while there is no room for more. */
const urgentSweepMs = 1000

/** All buckets. A bucket is made by its first request, and thrown out when nothing counts against it any more. */
export class Buckets {
  readonly #clock: Clock
  readonly #most: number
  #subjects: Subjects = { organization: new Map(), project: new Map(), key: new Map() }
  #bySubject = new Map<Subject, Map<string, Bucket>>()
  #size = 0
  #sweptMs = Number.NEGATIVE_INFINITY
  /** Whether there are any limits. */
  isIdle = true

  constructor(clock: Clock, most: number) {
    this.#clock = clock
    this.#most = most
  }

  get size(): number {
    return this.#size
  }

  /** The buckets of this request, made where they are missing. @throws Fault 503 when there is no room for another one */
  concerning({ organizationId, projectId, keyId }: Caller, model: string): readonly Bucket[] {
    const { organization, project, key } = this.#subjects
    const found: Bucket[] = []
    for (const subject of [organization.get(organizationId), project.get(projectId), key.get(keyId)]) {
      if (subject === undefined) continue
      // A key's limits hold wherever it works; those of a project only in its own organisation, whatever a row says.
      if (subject.kind !== 'key' && subject.organizationId !== organizationId) continue
      const bucket = this.#bySubject.get(subject)?.get(model) ?? this.#make(subject, model)
      if (bucket !== undefined) found.push(bucket)
    }
    return found
  }

  /** The bucket of a subject that has limits. */
  of(kind: Subject['kind'], id: string, model: string): Bucket | undefined {
    const subject = this.#subjects[kind].get(id)
    return subject && (this.#bySubject.get(subject)?.get(model) ?? this.#make(subject, model))
  }

  /** Other limits; what already counts stays, where a limit of its kind is still there. */
  renew(subjects: Subjects): void {
    const before = this.#bySubject
    this.#subjects = subjects
    this.#bySubject = new Map()
    this.#size = 0
    this.isIdle = Object.values(subjects).every(map => map.size === 0)
    for (const [old, buckets] of before) {
      const subject = subjects[old.kind].get(old.id)
      if (subject === undefined) continue
      for (const [model, { counts }] of buckets) {
        const gauges = new Map(counts.map(({ kind, gauge }) => [kind, gauge]))
        this.#keep(subject, model, limitsOf(subject, model), gauges)
      }
    }
  }

  /** Throws out what is empty. */
  sweep(): void {
    const nowMs = this.#clock.monotonic()
    this.#sweptMs = nowMs
    for (const [subject, buckets] of this.#bySubject) {
      for (const [model, { counts }] of buckets)
        if (counts.every(({ gauge }) => gauge.used(nowMs) === 0)) {
          buckets.delete(model)
          this.#size--
        }
      if (buckets.size === 0) this.#bySubject.delete(subject)
    }
  }

  #make(subject: Subject, model: string): Bucket | undefined {
    const limits = limitsOf(subject, model)
    if (limits.length === 0) return undefined
    if (this.#size >= this.#most && this.#clock.monotonic() - this.#sweptMs >= urgentSweepMs) this.sweep()
    if (this.#size >= this.#most) throw fault.limitsFull()
    return this.#keep(subject, model, limits)
  }

  #keep(
    subject: Subject,
    model: string,
    limits: readonly Limit[],
    gauges: ReadonlyMap<Kind, Gauge> = new Map(),
  ): Bucket | undefined {
    if (limits.length === 0) return undefined
    const counts = limits.map(({ kind, most }) => ({ kind, most, gauge: gauges.get(kind) ?? gaugeOf(kind) }))
    const bucket = { subject, counts }
    const buckets = this.#bySubject.get(subject) ?? new Map<string, Bucket>()
    this.#bySubject.set(subject, buckets.set(model, bucket))
    this.#size++
    return bucket
  }
}

const gaugeOf = ({ windowMs }: Kind): Gauge => (windowMs === null ? new CrowdGauge() : new WindowGauge(windowMs))
