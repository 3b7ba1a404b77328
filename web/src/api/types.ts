/** The only file that uses the names the server's OpenAPI document gives its schemas. */
import type { components } from './schema';

type Schemas = components['schemas'];

/**
 * The server always sends an optional field, as null when it is empty, while the document only marks
 * it "not required". This makes every such field nullable, so that the compiler asks for the check.
 */
type Wire<T> = T extends readonly (infer Element)[]
  ? Wire<Element>[]
  : T extends object
    ? {
        [Key in keyof T]: undefined extends T[Key] ? Wire<Exclude<T[Key], undefined>> | null | undefined : Wire<T[Key]>;
      }
    : T;

export type ErrorBody = Wire<Schemas['ErrorView']>;
export type User = Wire<Schemas['UserView']>;
export type Role = Schemas['RoleView'];
export type Reach = Schemas['ReachView'];
/** As the server sends it. */
export type ReachSent = Wire<Reach>;
export type Account = Wire<Schemas['AccountView']>;
export type NewAccount = Schemas['AccountRequest'];
export type AccountPatch = Schemas['AccountPatch'];
export type Invitation = Wire<Schemas['InvitationView']>;
export type ApiKey = Wire<Schemas['ApiKeyView']>;
export type ApiKeyRequest = Schemas['ApiKeyRequest'];
export type Session = Schemas['SessionView'];
export type UploadResponse = Wire<Schemas['UploadView']>;
export type CallView = Wire<Schemas['CallView']>;
export type CallStatusView = Wire<Schemas['StatusDetailView']>;
export type ResultsPage = Wire<Schemas['ResultsPage']>;
export type CallDetail = Wire<Schemas['CallDetail']>;
export type OperatorsPage = Wire<Schemas['OperatorsView']>;
export type Waveform = Wire<Schemas['WaveformView']>;
export type Health = Wire<Schemas['ServerView']>;
export type CallPatch = Wire<Schemas['CallPatch']>;
export type TurnPatch = Schemas['TurnPatchRequest'];
export type Version = Wire<Schemas['VersionsView']>['items'][number];
export type Models = Wire<Schemas['ModelsView']>;

export type Employees = Wire<Schemas['EmployeesView']>;
export type Employee = Employees['items'][number];
export type EmployeeDraft = Schemas['EmployeeRequest'];
export type Imported = Wire<Schemas['ImportedView']>;
export type TriedNames = Wire<Schemas['TriedNamesView']>;
export type Mango = Wire<Schemas['MangoView']>;
export type Calltouch = Wire<Schemas['CalltouchView']>;
export type Lane = Calltouch['lanes'][number];
export type PullSources = Wire<Schemas['PullSourceList']>;
export type PullSource = PullSources['items'][number];
export type PullRuns = Wire<Schemas['PullRunsPage']>;
export type PullRun = PullRuns['items'][number];
export type Payloads = Wire<Schemas['PayloadsView']>;
export type Details = CallDetail['details'];

export type CallStatus = CallView['status'];
export type Source = CallView['source'];
export type Stage = NonNullable<CallView['stage']>;
export type Averages = ResultsPage['averages'];
export type Levels = ResultsPage['levels'];
export type CriterionPercent = CallView['criteria'][number];
export type Recording = CallDetail['recording'];
export type Transcript = NonNullable<CallDetail['transcript']>;
export type DroppedFiles = Wire<Schemas['SftpFilesPage']>;
export type DroppedFile = DroppedFiles['items'][number];
export type DropState = DroppedFile['state'];
export type Processed = Wire<Schemas['ProcessedList']>;
export type FilesRemoved = Wire<Schemas['RemovedView']>;
export type FilesFilter = Schemas['SftpFilter'];
export type FilesSelection = Schemas['SftpSelection'];
export type PreparedArchive = Schemas['PreparedView'];
export type SftpServer = Wire<Schemas['SftpServerView']>;
export type SftpUser = Wire<Schemas['SftpUserView']>;
export type SftpUserChanged = Wire<Schemas['SftpUserChangedView']>;
export type NewSftpUser = Schemas['NewSftpUserRequest'];
export type SftpUserChange = Schemas['SftpUserRequest'];
export type TimeSpan = Transcript['doubtful'][number];
export type Turn = Transcript['turns'][number];
export type Word = Turn['words'][number];
export type Speaker = Turn['speaker'];
export type Score = NonNullable<CallDetail['score']>;
export type Criterion = Score['criteria'][number];
export type Scorecards = Wire<Schemas['ScorecardsView']>;
export type CardVersion = Scorecards['versions'][number];
export type CardDraft = Wire<Schemas['CardDraftView']>;
export type CardContent = Wire<Schemas['CardContentView']>;
export type CardDocument = CardContent['document'];
export type CardCriterion = CardDocument['criteria'][number];
export type CardItem = CardCriterion['items'][number];
export type CardCheck = Wire<Schemas['CardCheckView']>;
export type CardFault = CardCheck['faults'][number];
export type Prompts = Wire<Schemas['PromptsView']>;
export type Prompt = Prompts['items'][number];
export type NewPrompt = Schemas['NewPrompt'];
export type PromptPatch = Schemas['PromptPatch'];
export type Purpose = Prompt['purpose'];
export type Trial = Wire<Schemas['TrialView']>;
export type Rescoring = Wire<Schemas['RescoringView']>;
export type RescoringReport = Wire<Schemas['RescoringReport']>;
export type CallFilter = Schemas['CallFilter'];
export type Llm = Schemas['LlmView'];
export type EgressPage = Schemas['EgressPage'];
export type Spending = Schemas['SpendingView'];
export type Quote = Schemas['QuoteView'];
export type Finding = Wire<Schemas['FindingView']>;
export type Answer = Wire<Schemas['AnswerView']>;
export type AnswerEvent = Wire<Schemas['AnswerEvent']>;
export type SavedQuestion = Schemas['SavedQuestionView'];
export type Analysis = Wire<Schemas['AnalysisView']>;
export type AnalysisPage = Wire<Schemas['AnalysisPage']>;
export type AnalysisRow = AnalysisPage['items'][number];
export type AnalysisRequest = Schemas['AnalysisRequest'];
export type Estimate = Wire<Schemas['EstimateView']>;
export type CallInsight = Wire<Schemas['CallInsightView']>;
export type Insight = NonNullable<CallInsight['insight']>;
export type Point = Insight['summary']['objections'][number];
export type Topic = Insight['topics'][number];
export type Trackers = Wire<Schemas['TrackersView']>;
export type Tracker = Trackers['items'][number];
export type TrackerDraft = Schemas['TrackerRequest'];
export type Item = Criterion['items'][number];
export type Verdict = Item['verdict'];
export type Reason = Item['reason'];
export type Evidence = Item['evidence'][number];
export type ReviewRequest = Schemas['ReviewRequest'];
export type ItemReviews = Wire<Schemas['ReviewsView']>['items'][number];
export type DisputesPage = Wire<Schemas['DisputesPage']>;
export type Dispute = DisputesPage['items'][number];
export type DisputeState = Dispute['state'];
export type Agreement = Wire<Schemas['AgreementView']>;
export type ItemAgreement = Agreement['items'][number];
export type Pairs = Agreement['all'];
export type Dynamics = Wire<Schemas['DynamicsView']>;
export type PeriodStep = Dynamics['step'];
export type Engine = Score['engine'];
export type Metrics = NonNullable<CallDetail['metrics']>;

export const STAGES = ['decode', 'transcribe', 'diarize', 'score', 'index'] as const satisfies readonly Stage[];

export const SOURCES = ['upload', 'sftp', 'pull', 'import', 'mango', 'calltouch'] as const satisfies readonly Source[];

/** One frame of the live channel; it is not part of the OpenAPI document. */
export type LiveFrame =
  | { type: 'call'; id: string; status: CallStatus; stage: Stage | null; progress: number }
  | { type: 'deleted'; id: string }
  | { type: 'files' }
  | { type: 'resync' };

export function isFinished(status: CallStatus): boolean {
  return status !== 'queued' && status !== 'processing';
}

export type AuditPage = Wire<Schemas['AuditPage']>;
export type AuditEntry = AuditPage['items'][number];
export type Verification = Wire<Schemas['VerificationView']>;
export type Erasures = Wire<Schemas['ErasuresView']>;
export type Erasure = Erasures['items'][number];
export type ErasurePreview = Wire<Schemas['ErasurePreview']>;
export type RetentionPreview = Wire<Schemas['RetentionPreview']>;
export type DoomedCall = ErasurePreview['calls'][number];
